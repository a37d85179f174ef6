internal import DubCore
internal import DubGraph
internal import DubMedia
internal import DubRunner
internal import DubTiming

/// Puts the dub and its subtitles beside the original streams, which are copied bit by bit.
struct RemuxStage: Stage {
    let signature = StageSignature(
        name: "remux", version: 1,
        inputs: [.one("media"), .one("info"), .one("dub"), .one("script"), .one("placement")],
        outputs: [.one("video"), .one("srt"), .one("vtt"), .one("report")], parameters: ["to": ""])

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let media = try context.artifact("media", of: inputs)
        let script = try context.read(Script.self, "script", of: inputs)
        let placement = try context.read(Placement.self, "placement", of: inputs)
        let target = try Language(inputs.parameters["to"]?.string ?? "")
        let windows = Dictionary(
            placement.lines.compactMap { line in line.placed.span.map { (line.id, $0) } }, uniquingKeysWith: { $1 })
        let cues = Captions.cues(script, target: target, windows: windows)
        let request = RemuxRequest(
            source: context.path(of: media), outputStem: try "\(context.scratch)/dub",
            audio: [
                AddedAudio(
                    path: context.path(of: try context.artifact("dub", of: inputs)), language: target,
                    title: target.name)
            ],
            subtitles: [AddedSubtitle(cues: cues, language: target, title: target.name)])
        var report = try await Remuxer.run(request) { context.progress($0) }
        let type = String(report.path.split(separator: ".").last ?? "mkv")
        let video = try context.store.adopt(fileAt: report.path, type: type)
        report.path = ""
        var outputs = try await CaptionStage.write(cues, language: target, in: context)
        outputs["video"] = .one(video)
        outputs["report"] = .one(try context.store.put(json: report))
        return outputs
    }
}
