internal import DubCore
internal import HummingbirdCore
internal import NIOCore

/// Writes server-sent events (WHATWG HTML, 9.2). A follower that takes nothing for too long is let go of.
struct EventWriter {
    private var writer: any ResponseBodyWriter
    private let channel: any Channel
    private let patience: TimeAmount

    init(_ writer: any ResponseBodyWriter, _ channel: any Channel, patience: TimeAmount) {
        self.writer = writer
        self.channel = channel
        self.patience = patience
    }

    /// Tells how long to wait before connecting again, in milliseconds.
    @concurrent
    mutating func retry(after milliseconds: Int) async throws { try await write("retry: \(milliseconds)\n\n") }

    /// Writes an event. `data` is one line: JSON without line ends.
    @concurrent
    mutating func event(_ name: String, id: String, _ data: JSONValue) async throws {
        try await write("id: \(id)\nevent: \(name)\ndata: \(data.canonical)\n\n")
    }

    /// Shows that the connection lives.
    @concurrent
    mutating func pulse() async throws { try await write(":\n\n") }

    @concurrent
    private mutating func write(_ text: String) async throws {
        let deadline = channel.closing(in: patience)
        defer { deadline.cancel() }
        try await writer.write(ByteBuffer(string: text))
    }
}

extension Channel {
    /// Closes the connection after a time, unless that is cancelled before.
    func closing(in time: TimeAmount) -> Scheduled<Void> {
        eventLoop.scheduleTask(in: time) { [self] in close(promise: nil) }
    }
}
