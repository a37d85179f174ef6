internal import DubCore
internal import DubMedia
internal import DubTiming
internal import DubWorkers
internal import Foundation

/// Where the source speaks, and all that is heard in its dub.
struct HeardDub: Sendable {
    /// Where the source speaks, on the item's timeline.
    var sourceSpeech: [Span]
    /// How long the source's sound is, in seconds.
    var sourceDuration: Double
    /// What is heard in the dub.
    var hearing: Hearing
    /// How good pieces of the source sound, and pieces of the dub; empty where nobody judged them.
    var ratings: (source: [Rating], dub: [Rating]) = ([], [])

    /// How many pieces are at the worker at once.
    private static let breadth = 16

    /// Listens to a dub of which nothing else is known.
    static func listen(
        _ request: Inspection.Request, track: Int, language: Language, engines: Engines
    ) async throws -> HeardDub {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("dubmill-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let ear = try Ear(engines, language: language, listens: true)
        async let original = speech(of: request.source, stream: nil, ear, to: folder + "/source.wav")
        let sound = folder + "/dub.wav"
        let duration = try await extract(request.path, stream: track, to: sound)
        let spoken = try await ear.find(sound, seconds: duration).map {
            Span(start: $0.start.seconds, end: $0.end.seconds)
        }
        let pieces = PieceCutter.pieces(speech: spoken, duration: duration)
        try await MediaThread.run { cancellation in
            try ChunkStage.cut(
                sound, into: pieces.map { ChunkStage.samples(of: $0.span) }, folder: folder,
                gain: ListeningGain.of(sound, cancellation: cancellation), cancellation: cancellation)
        }
        let rater = Rater(engines)
        var heard = pieces.map { _ in HeardPiece(speech: []) }
        var ratings: [Rating] = []
        try await withThrowingTaskGroup(of: (Int, HeardPiece, Rating).self) { group in
            var next = 0
            func start() {
                guard next < pieces.count else { return }
                let (index, piece) = (next, pieces[next])
                next += 1
                group.addTask {
                    let task = PieceTask(hasWords: piece.isSpoken, seconds: piece.span.length)
                    let path = "\(folder)/\(index).wav"
                    let rating = task.hasWords ? try await rater?.rate(path, seconds: task.seconds) : nil
                    return (index, try await ear.hear(path, task), rating ?? Rating())
                }
            }
            for _ in 0..<breadth { start() }
            while let (index, piece, rating) = try await group.next() {
                heard[index] = piece
                ratings.append(rating)
                start()
            }
        }
        let (source, sourceDuration) = try await original
        let before = sourceDuration > 0 ? try await rater?.rate(folder + "/source.wav", seconds: sourceDuration) : nil
        return HeardDub(
            sourceSpeech: source, sourceDuration: sourceDuration,
            hearing: Hearing(PieceLayout(duration: duration, pieces: pieces.map(\.span)), heard),
            ratings: (before.map { [$0] } ?? [], ratings))
    }

    private static func speech(
        of path: String?, stream: Int?, _ ear: Ear, to sound: String
    ) async throws -> ([Span], Double) {
        guard let path, try await Media.probe(path).dialogueStream != nil else { return ([], 0) }
        let seconds = try await extract(path, stream: stream, to: sound)
        let found = try await ear.find(sound, seconds: seconds)
        return (found.map { Span(start: $0.start.seconds, end: $0.end.seconds) }, seconds)
    }

    /// Writes a track as the recognisers take it.
    ///
    /// - Returns: its length in seconds.
    private static func extract(_ path: String, stream: Int?, to output: String) async throws -> Double {
        try await MediaThread.run { cancellation in
            let format = ExtractStage.format
            var decoder = try AudioDecoder.open(path, stream: stream, as: format, cancellation: cancellation)
            var encoder = try AudioEncoder.create(output, codec: .pcm16, format: format)
            var end: Int64 = 0
            while let block = try decoder.next() {
                try encoder.write(block.samples)
                end = block.start + Int64(block.frames)
            }
            try encoder.finish()
            return Double(end) / Double(format.sampleRate)
        }
    }
}
