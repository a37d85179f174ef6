extension Verdict.Check {
    /// What a verdict may hold, by name: docs/verdict.md tells what each is. Thresholds for any other are refused.
    static let names: Set<String> = [
        "bed.correlation", "bed.level.change", "dialogue.loudness.change", "duration.change", "language.heard",
        "lines.draft", "lines.fallback", "lines.glossary", "lines.not-voiced", "lines.overlaps", "lines.review",
        "loudness.change", "loudness.gain", "loudness.integrated", "loudness.programme", "loudness.true-peak",
        "picture.identical", "rotation.kept", "sound.clipped", "sound.dropouts", "source.remains",
        "speech.cut-at-end", "speech.iou", "speech.lag", "speech.mos", "speech.mos.change", "speech.onset.max",
        "speech.onset.median", "speech.onset.p95",
        "start.offset.change", "streams.kept", "timestamps.disorders", "track.length.change", "words.lost",
        "words.wrong",
    ]
}
