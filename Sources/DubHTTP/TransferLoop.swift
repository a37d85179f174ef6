internal import CCurl
internal import DubCore
internal import Foundation

/// Runs transfers side by side: one libcurl multi handle on one thread of its own.
final class TransferLoop: Sendable {
    private enum Command: Sendable {
        case start(UInt64, HTTPRequest, any TransferSink)
        case cancel(UInt64)
        case resume(UInt64)
        case stop
    }

    private struct Inbox {
        var commands: [Command] = []
        var nextID: UInt64 = 1
    }

    // Only the loop's thread uses the handle, but for curl_multi_wakeup, which libcurl allows from any thread.
    nonisolated(unsafe) private let multi: UnsafeMutableRawPointer
    private let inbox = Locked(Inbox())

    private static let isLibraryReady: Bool = dub_curl_global_init() == CURLE_OK

    init() {
        precondition(Self.isLibraryReady, "libcurl cannot be set up")
        guard let multi = curl_multi_init() else {
            preconditionFailure("libcurl has no memory for a multi handle")
        }
        self.multi = multi
        let thread = Thread { self.run() }
        thread.name = "dubmill.http"
        thread.start()
    }

    deinit {
        // The thread holds us until it has ended, so nothing runs on the handle now.
        curl_multi_cleanup(multi)
    }

    func start(_ request: HTTPRequest, into sink: any TransferSink) -> UInt64 {
        let id = inbox.withLock { inbox in
            let id = inbox.nextID
            inbox.nextID += 1
            inbox.commands.append(.start(id, request, sink))
            return id
        }
        curl_multi_wakeup(multi)
        return id
    }

    func cancel(_ id: UInt64) { post(.cancel(id)) }

    func resume(_ id: UInt64) { post(.resume(id)) }

    /// Ends the thread; transfers under way end as cancelled.
    func stop() { post(.stop) }

    private func post(_ command: Command) {
        inbox.withLock { $0.commands.append(command) }
        curl_multi_wakeup(multi)
    }

    private func run() {
        var transfers: [UInt64: Transfer] = [:]
        var isStopping = false
        while !isStopping {
            let commands = inbox.withLock { inbox in
                defer { inbox.commands = [] }
                return inbox.commands
            }
            for command in commands {
                switch command {
                case .start(let id, let request, let sink): begin(id, request, sink, &transfers)
                case .cancel(let id):
                    guard let transfer = transfers.removeValue(forKey: id) else { continue }
                    curl_multi_remove_handle(multi, transfer.easy)
                    transfer.finishCancelled()
                case .resume(let id): transfers[id]?.resume()
                case .stop: isStopping = true
                }
            }
            var active: Int32 = 0
            curl_multi_perform(multi, &active)
            collect(&transfers)
            // libcurl's own timers cut this wait short, and so does a wake-up.
            if !isStopping { curl_multi_poll(multi, nil, 0, 60_000, nil) }
        }
        for transfer in transfers.values {
            curl_multi_remove_handle(multi, transfer.easy)
            transfer.finishCancelled()
        }
    }

    private func begin(
        _ id: UInt64, _ request: HTTPRequest, _ sink: any TransferSink, _ transfers: inout [UInt64: Transfer]
    ) {
        do {
            let transfer = try Transfer(request, into: sink)
            guard curl_multi_add_handle(multi, transfer.easy) == CURLM_OK else {
                return transfer.finish(CURLE_OUT_OF_MEMORY)
            }
            transfers[id] = transfer
        } catch {
            sink.finish(.failure(error))
        }
    }

    private func collect(_ transfers: inout [UInt64: Transfer]) {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else {
                continue
            }
            // Read before the handle is removed: that frees the message.
            let code = message.pointee.data.result
            guard let (id, transfer) = transfers.first(where: { $0.value.easy == easy }) else { continue }
            transfers[id] = nil
            curl_multi_remove_handle(multi, easy)
            transfer.finish(code)
        }
    }
}
