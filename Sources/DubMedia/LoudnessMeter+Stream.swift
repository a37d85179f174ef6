extension LoudnessMeter {
    /// How loud a stream of a file is, from its beginning to its end, in constant memory.
    ///
    /// - Parameters:
    ///   - stream: its index in the file; `nil` for the one that players take.
    ///   - format: what to bring it to before; `nil` measures all of its channels as they are.
    ///   - progress: called now and then with the part that is done.
    /// - Throws: as `AudioDecoder.open` and `next`.
    public static func measure(
        _ path: String, stream: Int? = nil, as format: AudioFormat? = nil, cancellation: Cancellation,
        progress: (Double) -> Void = { _ in }
    ) throws -> LoudnessReport {
        var decoder = try AudioDecoder.open(
            path, stream: stream, optionalFormat: format, cancellation: cancellation)
        var meter = try LoudnessMeter.make(decoder.format)
        let total = Double(max(1, decoder.durationFrames ?? 0))
        while let block = try decoder.next() {
            try meter.add(block.samples)
            progress(min(1, Double(block.start) / total))
        }
        return try meter.finish()
    }
}
