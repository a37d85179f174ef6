/// A growing run of interleaved samples that C code writes into: no array is touched per sample.
struct FloatBuffer: ~Copyable {
    let channels: Int
    /// Frames held.
    private(set) var frames = 0
    private var base: UnsafeMutablePointer<Float>
    private var capacity: Int

    init(channels: Int, frames: Int) {
        self.channels = channels
        capacity = frames
        base = .allocate(capacity: frames * channels)
    }

    /// Makes room for `count` more frames.
    ///
    /// - Returns: where they go; valid until the next call.
    mutating func reserve(_ count: Int) -> UnsafeMutablePointer<UInt8>? {
        if frames + count > capacity {
            let larger = max(frames + count, capacity * 2)
            let moved = UnsafeMutablePointer<Float>.allocate(capacity: larger * channels)
            moved.update(from: base, count: frames * channels)
            base.deallocate()
            base = moved
            capacity = larger
        }
        return UnsafeMutableRawPointer(base + frames * channels).assumingMemoryBound(to: UInt8.self)
    }

    /// Counts frames that were written where `reserve` said.
    mutating func add(_ count: Int) { frames += count }

    /// The samples held; empties the buffer.
    mutating func take() -> [Float] {
        defer { frames = 0 }
        return Array(UnsafeBufferPointer(start: base, count: frames * channels))
    }

    deinit { base.deallocate() }
}
