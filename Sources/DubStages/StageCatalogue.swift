public import DubGraph
public import DubRunner

/// Every kind of stage that a pipeline file can use.
public enum StageCatalogue {
    /// All stages by name, with the engines that they ask.
    public static func all(engines: Engines) -> [String: any Stage] {
        let stages: [any Stage] = [
            ProbeStage(), ExtractStage(), ChunkStage(engines: engines), DetectStage(engines: engines),
            TranscribeStage(engines: engines), EditsStage(), MergeStage(), TranslateStage(engines: engines),
            LinesStage(), SynthesizeStage(engines: engines), FitStage(), MixStage(), RemuxStage(), InspectStage(),
            ScriptStage(), CaptionStage(), MeasureStage(), NormaliseStage(), VerifyStage(),
        ]
        return Dictionary(stages.map { ($0.signature.name, $0) }, uniquingKeysWith: { $1 })
    }

    /// What each of them reads and writes.
    public static func signatures(of stages: [String: any Stage]) -> [String: StageSignature] {
        stages.mapValues(\.signature)
    }
}
