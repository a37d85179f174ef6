internal import DubCore
public import DubGraph
public import DubRunner
internal import DubWorkers

/// Every kind of stage that a pipeline file can use.
public enum StageCatalogue {
    /// All stages by name, with the engines that they ask.
    public static func all(engines: Engines) -> [String: any Stage] {
        let stages: [any Stage] = [
            ProbeStage(), ExtractStage(), ChunkStage(engines: engines), DetectStage(engines: engines),
            TranscribeStage(engines: engines), EditsStage(), MergeStage(), TranslateStage(engines: engines),
            LinesStage(), EmbedStage(engines: engines), DiarizeStage(), CastStage(engines: engines),
            SynthesizeStage(engines: engines), FitStage(), MixStage(), RemuxStage(), InspectStage(), RecutStage(),
            HearStage(engines: engines), RateStage(engines: engines), ScriptStage(), CaptionStage(), ExecStage(),
            MeasureStage(), NormaliseStage(),
            VerifyStage(), SeparateStage(engines: engines), StemsStage(),
        ]
        return Dictionary(stages.map { ($0.signature.name, $0) }, uniquingKeysWith: { $1 })
    }

    /// What every kind of stage reads and writes: nothing is read or started for it.
    public static var signatures: [String: StageSignature] {
        let nobody = Batcher(
            worker: LocalWorker { _ in
                throw DubError(
                    .internal, "No worker belongs to signatures.", at: "signatures", fix: "Please report this.")
            })
        return signatures(of: all(engines: Engines(catalogue: ModelCatalogue(models: []), models: "", batcher: nobody)))
    }

    /// What each of them reads and writes.
    public static func signatures(of stages: [String: any Stage]) -> [String: StageSignature] {
        stages.mapValues(\.signature)
    }
}
