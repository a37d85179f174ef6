internal import DubCore
internal import DubGraph
internal import DubMedia
internal import DubRunner

/// Measures how loud the audio streams of a file are, all channels as they are.
struct MeasureStage: Stage {
    let signature = StageSignature(
        name: "measure", version: 1, inputs: [.one("media"), .one("info")], outputs: [.one("loudness")],
        parameters: ["streams": "all"])

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let path = context.path(of: try context.artifact("media", of: inputs))
        let info = try context.read(MediaInfo.self, "info", of: inputs)
        let streams = try Self.streams(of: info, wanted: inputs.parameters["streams"]?.string ?? "")
        let measured = try await MediaThread.run { cancellation in
            try streams.enumerated().map { place, stream in
                let loudness = try LoudnessMeter.measure(path, stream: stream.index, cancellation: cancellation) {
                    context.progress((Double(place) + $0) / Double(streams.count))
                }
                return MeasuredStream(stream: stream.index, language: stream.languageTag, loudness: loudness)
            }
        }
        return ["loudness": .one(try context.store.put(json: measured))]
    }

    private static func streams(of info: MediaInfo, wanted: String) throws(DubError) -> [StreamInfo] {
        switch wanted {
        case "all": return info.streams.filter { $0.kind == .audio }
        case "default": return [info.dialogueStream].compactMap(\.self)
        default:
            throw DubError(
                .parameterInvalid, "`\(wanted)` does not say which streams are meant.", at: "streams",
                fix: "Give all or default.")
        }
    }
}
