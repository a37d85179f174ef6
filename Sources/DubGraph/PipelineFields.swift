internal import DubCore

/// What may stand in a pipeline file, as tables: the reader checks against them, and the JSON Schema is made of them.
enum PipelineFields {
    /// A key of a mapping.
    struct Field: Sendable {
        var name: String
        /// For people, as editors show it.
        var summary: String
        var shape: Shape

        init(_ name: String, _ shape: Shape, _ summary: String) {
            self.name = name
            self.summary = summary
            self.shape = shape
        }
    }

    /// What may stand under a key.
    indirect enum Shape: Sendable {
        case text
        /// The name of something in the file.
        case name
        case flag
        case number
        case whole(ClosedRange<Int>)
        /// The bounds are written as in a file.
        case duration(least: String, most: String)
        case size
        case choice(of: String, [String])
        /// `item`, `stage.output` or `stage.output[axis]`.
        case reference
        case condition
        case tolerance
        /// The kind of an error: `worker.died`, or its first part.
        case code
        /// A file name's extension.
        case fileType
        /// Anything.
        case value
        case list(Shape)
        /// One, or a list.
        case some(Shape)
        /// One, or a list that holds one.
        case bracketed(Shape)
        /// Keys that are names.
        case named(String, Shape)
        /// Keys that are known.
        case fields([Field])
        /// A single value, or a mapping.
        case either(Shape, [Field])
    }

    static let top = [
        Field("version", .whole(1...1), "The version of this language: 1."),
        Field("name", .text, "The pipeline's name, as `dubmill runs` shows it."),
        Field("summary", .text, "What it is for, in a sentence."),
        Field(
            "include", .some(.text),
            "Other pipeline files, relative to this one, or shipped ones by name. What stands here is put over theirs."),
        Field("parameters", .named("parameter", .fields(parameter)), "What a run may set."),
        Field(
            "profiles", .named("profile", .named("parameter", .value)),
            "Named sets of parameter values, chosen with --profile."),
        Field("axes", .named("axis", .text), "What stages fan out over: a list parameter, or `stage.output`."),
        Field("stages", .named("stage", .fields(stage)), "The stages, in any order: what reads what decides."),
        Field("deliver", .list(.fields(delivery)), "The files that a finished item leaves in the output folder."),
    ]

    static let parameter = [
        Field("type", .choice(of: "type", Pipeline.Parameter.Kind.allCases.map(\.rawValue)), "What it may be."),
        Field("default", .value, "What holds where the run sets nothing. Without one the run has to set it."),
        Field("choices", .list(.value), "The only values allowed; of a list, the only elements."),
        Field("min", .number, "The least number allowed."),
        Field("max", .number, "The largest number allowed."),
        Field("summary", .text, "What it is for, in a sentence."),
    ]

    static let stage = [
        Field("uses", .text, "The kind of stage; where it is missing, the stage's own name."),
        Field(
            "in", .named("input", .reference),
            "Inputs: `item`, `edits`, `cast`, `gate`, `stage.output` or `stage.output[axis]`."),
        Field(
            "out", .named("output", .bracketed(.fileType)),
            "What an open stage such as `exec` writes: `name: extension`, or `name: [extension]` for a list of files."),
        Field(
            "with", .named("setting", .value), "Settings; `${name}` stands for a parameter, or for an axis's element."),
        Field("for_each", .some(.name), "The axes that it runs over, outermost first."),
        Field(
            "when", .condition,
            "Whether it is needed: `${flag}`, `!${flag}`, `${name} == text` or `${name} != text`."),
        Field("retry", .either(.whole(1...20), retry), "How often a failure is tried: attempts in all, or a mapping."),
        Field(
            "timeout", .duration(least: "1ms", most: "168h"), "How long one attempt may take: `90s`, `10m`, `2h`."),
        Field("resources", .fields(resources), "What one node holds while it runs."),
        Field("limit", .whole(1...10_000), "How many of its nodes run at once, over all items."),
        Field(
            "tolerate", .tolerance,
            "How many of a fan-out may fail, as a number or as a share (`5%`), before what gathers them does."),
    ]

    static let retry = [
        Field("attempts", .whole(1...20), "Attempts in all."),
        Field("backoff", .duration(least: "0s", most: "1h"), "The bound of the first wait; it doubles each time."),
        Field("ceiling", .duration(least: "0s", most: "24h"), "No wait is longer."),
        Field("jitter", .flag, "Whether waits are drawn at random below their bound."),
        Field("on", .some(.code), "Kinds of error that are tried again: `worker`, or `output.unwritable`."),
    ]

    static let resources = [
        Field("cpu", .whole(0...4096), "Cores."),
        Field("gpu", .whole(0...256), "Cards."),
        Field("memory", .size, "Memory: `512MiB`, `4GiB`."),
        Field("worker", .whole(0...4096), "Places in the worker's queue."),
    ]

    static let delivery = [
        Field(
            "kind", .name, "What it is called in results: video, audio, subtitles, script, verdict, or a word of yours."
        ),
        Field("from", .reference, "The output: `stage.output`."),
        Field("name", .text, "The name before the extension; `{stem}` and axes in braces are filled in."),
    ]

    /// The names in a table.
    static func names(_ fields: [Field]) -> [String] { fields.map(\.name) }
}
