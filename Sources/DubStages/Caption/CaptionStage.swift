internal import DubCore
internal import DubGraph
internal import DubMedia
internal import DubRunner

/// Breaks a script into subtitles and writes them as SRT and WebVTT.
struct CaptionStage: Stage {
    let signature = StageSignature(
        name: "caption", version: 1, inputs: [.one("script")], outputs: [.one("srt"), .one("vtt")],
        parameters: ["to": ""])

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let script = try context.read(Script.self, "script", of: inputs)
        let tag = inputs.parameters["to"]?.string ?? ""
        let target = tag.isEmpty ? nil : try Language(tag)
        let cues = Captions.cues(script, target: target)
        return try await Self.write(cues, language: target ?? script.language, in: context)
    }

    /// Both files, by FFmpeg's muxers.
    static func write(
        _ cues: [Cue], language: Language, in context: StageContext
    ) async throws -> [String: StageValue] {
        let folder = try context.scratch
        try await MediaThread.run { _ in
            try SubtitleFile.write(cues, to: "\(folder)/cues.srt", format: .srt, language: language)
            try SubtitleFile.write(cues, to: "\(folder)/cues.vtt", format: .vtt, language: language)
        }
        return [
            "srt": .one(try context.store.adopt(fileAt: "\(folder)/cues.srt", type: "srt")),
            "vtt": .one(try context.store.adopt(fileAt: "\(folder)/cues.vtt", type: "vtt")),
        ]
    }
}
