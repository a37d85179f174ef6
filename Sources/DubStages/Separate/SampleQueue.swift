internal import DubMedia

/// Files that follow one another, read as one sound, as much at a time as is asked for.
///
/// Not `Sendable`: it stays in the closure of one `MediaThread.run`.
final class SampleQueue {
    private let paths: [String]
    private let format: AudioFormat
    private let cancellation: Cancellation
    private let channels: Int
    private var next = 0
    private var decoder: AudioDecoder?
    private var held: [Float] = []
    private var taken = 0

    /// - Throws: as `AudioDecoder.open`, for the first file.
    init(_ paths: [String], as format: AudioFormat, _ cancellation: Cancellation) throws {
        self.paths = paths
        self.format = format
        self.cancellation = cancellation
        channels = max(1, format.channels)
        try open()
    }

    private func open() throws {
        decoder = nil
        guard next < paths.count else { return }
        decoder = try AudioDecoder.open(paths[next], as: format, cancellation: cancellation)
        next += 1
    }

    /// The next frames, `[frame][channel]`; silence behind the end.
    func read(_ frames: Int) throws -> [Float] {
        let count = frames * channels
        while held.count - taken < count, decoder != nil {
            if let block = try decoder?.next() {
                if taken > 0 { held.removeFirst(taken) }
                taken = 0
                held += block.samples
            } else {
                try open()
            }
        }
        let have = min(count, held.count - taken)
        var samples = Array(held[taken..<(taken + have)])
        taken += have
        if have < count { samples += [Float](repeating: 0, count: count - have) }
        return samples
    }
}
