internal import DubCore
internal import DubGraph
internal import Foundation

/// A pipeline as `pipeline show` prints it.
struct PipelineView: Encodable {
    struct Parameter: Encodable {
        var name: String
        var type: String
        var `default`: JSONValue?
        var choices: [JSONValue]?
        var min: Double?
        var max: Double?
        var summary: String
    }

    struct Stage: Encodable {
        var name: String
        var uses: String
        var forEach: [String]
        var reads: [String]
        var runs: [String]
        /// The file that it comes from.
        var file: String
        var line: Int
    }

    struct Delivery: Encodable {
        var kind: String
        var from: String
        var name: String
    }

    var name: String
    var summary: String
    var file: String
    var parameters: [Parameter]
    var profiles: [String: [String: JSONValue]]
    var stages: [Stage]
    var deliveries: [Delivery]

    init(_ pipeline: Pipeline) {
        name = pipeline.name
        summary = pipeline.summary
        file = pipeline.file
        parameters = pipeline.parameters.map {
            Parameter(
                name: $0.name, type: $0.kind.rawValue, default: $0.fallback,
                choices: $0.choices.isEmpty ? nil : $0.choices, min: $0.min, max: $0.max, summary: $0.summary)
        }
        profiles = Dictionary(pipeline.profiles.map { ($0.name, $0.values) }, uniquingKeysWith: { $1 })
        stages = pipeline.steps.map { step in
            Stage(
                name: step.name, uses: step.uses, forEach: step.forEach,
                reads: step.inputs.sorted { $0.key < $1.key }.map { "\($0.value.reference)" }.reduce(into: []) {
                    if !$0.contains($1) { $0.append($1) }
                }, runs: Self.runs(step), file: step.place.file, line: step.place.line)
        }
        deliveries = pipeline.deliveries.map {
            Delivery(kind: $0.kind, from: "\($0.stage).\($0.output)", name: $0.name)
        }
    }

    /// How a stage is run, where the pipeline says so, in the pipeline's words.
    private static func runs(_ step: Pipeline.Step) -> [String] {
        let policy = step.policy
        var runs: [String] = []
        if let when = step.when { runs.append("when \(when)") }
        if let retry = policy.retry { runs.append("retry \(retry.attempts)") }
        if let timeout = policy.timeout { runs.append("timeout \(Console.time(timeout / .seconds(1)))") }
        if let limit = policy.limit { runs.append("limit \(limit)") }
        switch policy.tolerance {
        case .none: break
        case .count(let count): runs.append("tolerate \(count)")
        case .share(let share): runs.append("tolerate \(JSONValue.number((share * 1e6).rounded() / 1e4).canonical)%")
        }
        let held = policy.resources
        if let cpu = held.cpu { runs.append("cpu \(cpu)") }
        if let gpu = held.gpu { runs.append("gpu \(gpu)") }
        if let memory = held.memory { runs.append("memory \(memory / 1_048_576) MiB") }
        if let worker = held.worker { runs.append("worker \(worker)") }
        return runs
    }

    /// For people.
    var table: String {
        var parts = ["\(name)  \(file)", summary].filter { !$0.isEmpty }
        if !parameters.isEmpty {
            parts += [
                "",
                Console.table(
                    ["PARAMETER", "TYPE", "DEFAULT", "SUMMARY"],
                    parameters.map { [$0.name, Self.type($0), $0.default.map(Self.text) ?? "(needed)", $0.summary] }),
            ]
        }
        if !profiles.isEmpty {
            let rows = profiles.sorted { $0.key < $1.key }.map { name, values in
                [
                    name,
                    values.sorted { $0.key < $1.key }.map { "\($0.key)=\(Self.text($0.value))" }.joined(separator: " "),
                ]
            }
            parts += ["", Console.table(["PROFILE", "SETS"], rows)]
        }
        let rows = stages.map { stage in
            [
                stage.name, stage.uses, stage.forEach.joined(separator: ", "), stage.reads.joined(separator: " "),
                stage.runs.joined(separator: ", "),
            ]
        }
        parts += ["", Console.table(["STAGE", "USES", "FOR EACH", "READS", "RUNS"], rows)]
        if !deliveries.isEmpty {
            parts += [
                "", Console.table(["DELIVERS", "FROM", "NAME"], deliveries.map { [$0.kind, $0.from, $0.name] }),
            ]
        }
        return Console.printableLines(parts.joined(separator: "\n"))
    }

    private static func type(_ parameter: Parameter) -> String {
        if let choices = parameter.choices { return choices.map(text).joined(separator: "|") }
        let bounds = [
            parameter.min.map { "≥ \(JSONValue.number($0).canonical)" },
            parameter.max.map { "≤ \(JSONValue.number($0).canonical)" },
        ].compactMap(\.self)
        return ([parameter.type] + bounds).joined(separator: " ")
    }

    private static func text(_ value: JSONValue) -> String {
        value.array.map { $0.map(text).joined(separator: ",") } ?? value.string.map { $0.isEmpty ? "\"\"" : $0 }
            ?? value.canonical
    }
}

extension Console {
    /// Several lines that come from outside, safe to print.
    static func printableLines(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { printable(String($0)) }
            .joined(separator: "\n")
    }
}
