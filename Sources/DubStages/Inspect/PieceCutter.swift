internal import DubTiming

/// Decides where a dub is cut to be listened to: its whole length, at pauses, so that a line said anew changes the
/// piece it lies in and no other.
enum PieceCutter {
    /// The longest piece in which nobody is to speak, in seconds.
    private static let quiet = 60.0
    /// What is shorter goes with the piece before it.
    private static let sliver = 0.5

    /// The pieces, in order, without gaps from 0 to `duration`, and whether speech is to be there.
    static func pieces(speech: [Span], duration: Double) -> [(span: Span, isSpoken: Bool)] {
        var pieces: [(span: Span, isSpoken: Bool)] = []
        func fill(to end: Double) {
            let start = pieces.last?.span.end ?? 0
            guard end > start else { return }
            if end - start < sliver, let last = pieces.indices.last {
                pieces[last].span.end = end
                return
            }
            let count = Int(((end - start) / quiet).rounded(.up))
            for index in 0..<count {
                let (low, high) = (start + Double(index) * quiet, start + Double(index + 1) * quiet)
                pieces.append((Span(start: low, end: min(end, high)), false))
            }
        }
        for chunk in ChunkCutter().chunks(of: speech.merged(), duration: duration) {
            fill(to: chunk.start)
            pieces.append((Span(start: pieces.last?.span.end ?? 0, end: chunk.end), true))
        }
        fill(to: duration)
        return pieces
    }
}
