internal import DubCore
internal import DubGraph
internal import DubMedia
internal import DubRunner

extension DubError.Code {
    /// A source is damaged, and the run was not told to accept that.
    static let mediaDamaged = Self(name: "media.damaged")
    /// Nobody speaks in a source.
    static let speechNone = Self(name: "speech.none")
}

/// Looks at the source: what streams it holds, and whether it is whole.
///
/// A damaged source is refused unless the run accepts damage: a dub of half a film must not look like a whole one.
struct ProbeStage: Stage {
    let signature = StageSignature(
        name: "probe", version: 1, inputs: [.one("media")], outputs: [.one("info")],
        parameters: ["damaged": "refuse"])

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let path = context.path(of: try context.artifact("media", of: inputs))
        var info = try await Media.probe(path)
        guard info.dialogueStream != nil else {
            throw DubError(
                .mediaNoStream, "The file has no audio stream: there is nothing to work on.", at: path,
                fix: "Choose a file with sound.")
        }
        if inputs.parameters["damaged"] != "accept",
            let problem = try await MediaCheck.check(path).first(where: { $0.severity == .damage })
        {
            throw DubError(
                .mediaDamaged, "The source is damaged: \(problem.what)", at: "\(path), \(problem.place)",
                fix: "Export it again from its source, or take what is there with --damaged accept.")
        }
        // The name is no part of what the file is: the same bytes elsewhere are the same document.
        info.path = ""
        return ["info": .one(try context.store.put(json: info))]
    }
}
