public import DubCore

/// The JSON Schema (2020-12) of pipeline files, made of the tables that the reader checks against and of the stages'
/// signatures: editors complete and check with it.
///
/// It tells form, and the names of stages, inputs and settings. What is wired to what is left to `pipeline check`.
public enum PipelineSchema {
    /// The schema for the stages that there are.
    public static func json(stages: [String: StageSignature]) -> JSONValue {
        var definitions: [String: JSONValue] = [
            "stage": .object([
                "allOf": .array(
                    [fields(PipelineFields.stage)]
                        + stages.keys.sorted().map { name in
                            [
                                "if": ["required": ["uses"], "properties": ["uses": ["const": .string(name)]]],
                                "then": ["$ref": .string("#/$defs/kind-\(name)")],
                            ]
                        })
            ])
        ]
        for (name, signature) in stages { definitions["kind-\(name)"] = kind(signature) }
        var root = fields(PipelineFields.top).object ?? [:]
        var properties = root["properties"]?.object ?? [:]
        properties["stages"] = self.stages(stages)
        // A list of values that none may be, where an included file has it, is taken away with `~`.
        for section in ["parameters", "profiles", "axes"] {
            guard var named = properties[section]?.object, let inner = named["additionalProperties"] else { continue }
            named["additionalProperties"] = ["anyOf": [inner, ["type": "null"]]]
            properties[section] = .object(named)
        }
        root["properties"] = .object(properties)
        root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        root["title"] = "A dubmill pipeline"
        root["required"] = ["version"]
        root["anyOf"] = [["required": ["stages"]], ["required": ["include"]]]
        root["$defs"] = .object(definitions)
        return .object(root)
    }

    /// Stages by name: one that is called like a kind of stage, and does not say which it is, is of that kind.
    private static func stages(_ stages: [String: StageSignature]) -> JSONValue {
        let summary = PipelineFields.top.first { $0.name == "stages" }?.summary ?? ""
        let properties = stages.keys.map { name -> (String, JSONValue) in
            (
                name,
                [
                    "type": ["object", "null"],
                    "allOf": [
                        ["anyOf": [["type": "null"], ["$ref": "#/$defs/stage"]]],
                        [
                            "if": ["type": "object", "not": ["required": ["uses"]]],
                            "then": ["$ref": .string("#/$defs/kind-\(name)")],
                        ],
                    ],
                ]
            )
        }
        return [
            "type": "object", "description": .string(summary), "minProperties": 1, "propertyNames": name,
            "properties": .object(Dictionary(properties, uniquingKeysWith: { $1 })),
            "additionalProperties": ["anyOf": [["type": "null"], ["$ref": "#/$defs/stage"]]],
        ]
    }

    /// What a kind of stage takes.
    private static func kind(_ signature: StageSignature) -> JSONValue {
        let outputs = signature.outputs.map { "`\($0.name)\($0.isList ? "[]" : "")`" }.joined(separator: ", ")
        var properties: [String: JSONValue] = [
            "with": [
                "type": "object", "additionalProperties": false,
                "properties": .object(signature.parameters.mapValues(setting)),
            ]
        ]
        if !signature.isOpen {
            properties["in"] = [
                "type": "object", "additionalProperties": false,
                "properties": .object(
                    Dictionary(
                        signature.inputs.map { input in
                            let traits = [input.isList ? "a list" : nil, input.isOptional ? "may be left out" : nil]
                            return (
                                input.name,
                                described(
                                    schema(.reference), traits.compactMap(\.self).joined(separator: ", "))
                            )
                        }, uniquingKeysWith: { $1 })),
            ]
            properties["out"] = false
        }
        return described(
            ["properties": .object(properties)], outputs.isEmpty ? "Writes what its `out` says." : "Writes \(outputs).")
    }

    private static func setting(_ fallback: JSONValue) -> JSONValue {
        var value: [String: JSONValue]
        switch fallback {
        case .null: return true
        case .bool: value = ["type": "boolean"]
        case .integer, .number: value = ["type": "number"]
        case .string: value = ["type": "string"]
        case .array: value = ["type": "array", "items": ["type": ["string", "number", "boolean"]]]
        case .object: value = ["type": "object", "additionalProperties": ["type": ["string", "number", "boolean"]]]
        }
        value["default"] = fallback
        guard fallback.string == nil else { return .object(value) }
        // A text that stands for a parameter takes the value's type.
        return ["anyOf": [.object(value), ["type": "string", "pattern": "\\$\\{[A-Za-z0-9_-]+\\}"], ["type": "null"]]]
    }

    // MARK: - Shapes

    private static func fields(_ fields: [PipelineFields.Field]) -> JSONValue {
        [
            "type": "object", "additionalProperties": false,
            "properties": .object(
                Dictionary(fields.map { ($0.name, described(schema($0.shape), $0.summary)) }, uniquingKeysWith: { $1 })),
        ]
    }

    private static func described(_ schema: JSONValue, _ summary: String) -> JSONValue {
        guard !summary.isEmpty, var members = schema.object else { return schema }
        members["description"] = .string(summary)
        return .object(members)
    }

    private static let name: JSONValue = ["type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"]
    private static let quantity = "^[0-9]([0-9.]*[0-9])?\\s*"

    private static func pattern(_ pattern: String) -> JSONValue { ["type": "string", "pattern": .string(pattern)] }

    private static func schema(_ shape: PipelineFields.Shape) -> JSONValue {
        switch shape {
        case .text: return ["type": ["string", "number", "boolean"]]
        case .name: return name
        case .flag: return ["type": "boolean"]
        case .number: return ["type": "number"]
        case .whole(let range):
            if range.count == 1 { return ["const": .integer(Int64(range.lowerBound))] }
            return [
                "type": "integer", "minimum": .integer(Int64(range.lowerBound)),
                "maximum": .integer(Int64(range.upperBound)),
            ]
        case .duration: return pattern(quantity + "(ms|s|m|min|h|d|w)$")
        case .size: return pattern(quantity + "([kKMGT]i?)?B$")
        case .choice(_, let choices): return ["enum": .array(choices.map { .string($0) })]
        case .reference:
            return pattern("^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+(\\[[A-Za-z0-9_-]+\\])?)?$")
        case .condition:
            return pattern("^\\s*(!?\\$\\{[A-Za-z0-9_-]+\\}|\\$\\{[A-Za-z0-9_-]+\\}\\s*[!=]=.+)\\s*$")
        case .tolerance:
            return [
                "anyOf": [
                    ["type": "integer", "minimum": 0, "maximum": 1_000_000], pattern("^[0-9]([0-9.]*[0-9])?\\s*%$"),
                ]
            ]
        case .code: return pattern("^(\(RetryPolicy.families.joined(separator: "|")))(\\.[a-z][a-z0-9-]*)?$")
        case .fileType: return ["type": ["string", "number"], "pattern": "^[a-z0-9]{1,10}$"]
        case .value: return [:]
        case .list(let inner): return ["type": "array", "items": schema(inner)]
        case .some(let inner): return ["anyOf": [schema(inner), ["type": "array", "items": schema(inner)]]]
        case .bracketed(let inner):
            return [
                "anyOf": [schema(inner), ["type": "array", "items": schema(inner), "minItems": 1, "maxItems": 1]]
            ]
        case .named(_, let inner):
            return ["type": "object", "propertyNames": name, "additionalProperties": schema(inner)]
        case .fields(let inner): return fields(inner)
        case .either(let single, let inner): return ["anyOf": [schema(single), fields(inner)]]
        }
    }
}
