internal import DubCore

/// Values: defaults, profiles, settings, conditions.
extension GraphCheck {
    mutating func check(_ parameter: Pipeline.Parameter) {
        if let min = parameter.min, let max = parameter.max, min > max {
            fault(parameter.place, "`min` of `\(parameter.name)` is larger than its `max`.", "Exchange them.")
        }
        if parameter.kind != .number, parameter.min != nil || parameter.max != nil {
            fault(parameter.place, "Only a number has `min` and `max`.", "Leave them away, or write `type: number`.")
        }
        if parameter.kind == .flag, !parameter.choices.isEmpty {
            fault(parameter.place, "A flag has no `choices`.", "Leave them away.")
            return
        }
        var open = parameter
        open.choices = []
        if open.kind == .languages { open.kind = .language }
        for choice in parameter.choices {
            // Each choice of a list is an element of it.
            let value = parameter.kind == .list ? JSONValue.array([choice]) : choice
            check(value, for: open, at: parameter.place, "A choice of")
        }
        if let fallback = parameter.fallback {
            check(fallback, for: parameter, at: parameter.fallbackPlace, "The default of")
        }
    }

    mutating func check(_ profile: Pipeline.Profile) {
        for (name, value) in profile.values.sorted(by: { $0.key < $1.key }) {
            guard let place = profile.places[name] else { continue }
            guard let parameter = pipeline.parameters.first(where: { $0.name == name }) else {
                fault(place, "There is no parameter `\(name)`.", hint(name, among: pipeline.parameters.map(\.name)))
                continue
            }
            check(value, for: parameter, at: place, "Profile `\(profile.name)`:")
        }
    }

    private mutating func check(
        _ value: JSONValue, for parameter: Pipeline.Parameter, at place: Pipeline.Place, _ which: String
    ) {
        do {
            _ = try parameter.accept(value, isWritten: true, at: pipeline.file)
        } catch {
            // An error of a language does not name the parameter.
            let names = error.what.contains("`\(parameter.name)`")
            fault(place, "\(which) \(names ? "" : "`\(parameter.name)`: ")\(error.what)", error.fix)
        }
    }

    // MARK: - Settings

    mutating func checkSettings(of step: Pipeline.Step, _ signature: StageSignature) {
        for name in signature.required where step.with[name] == nil {
            fault(step.place, "Stage `\(step.name)` has no `\(name)`.", "Add `\(name):` to its `with`.")
        }
        for (name, value) in step.with.sorted(by: { $0.key < $1.key }) {
            let place = step.withPlaces[name] ?? step.place
            let references = Substitution.names(in: value)
            if let fallback = signature.parameters[name] {
                let isFilled = value.string != nil && !references.isEmpty
                if let wanted = Self.wanted(fallback) {
                    if !isFilled, !wanted.fits(value) {
                        fault(place, "`\(name)` of `\(step.name)` has to be \(wanted.text).", wanted.fix)
                    } else if let whole = Substitution.whole(value), let given = sample(of: whole, in: step),
                        !wanted.fits(given.value)
                    {
                        fault(
                            place,
                            "`\(name)` of `\(step.name)` has to be \(wanted.text), and `${\(whole)}` is \(given.text).",
                            "Change the type of `\(whole)`, or write the value here.")
                    }
                }
            } else {
                fault(place, "`\(step.uses)` has no setting `\(name)`.", hint(name, among: signature.parameters.keys))
            }
            for reference in references where !isValue(reference, in: step) {
                fault(
                    place, "`${\(reference)}` is neither a parameter nor an axis of `\(step.name)`.",
                    hint(reference, among: pipeline.parameters.map(\.name) + step.forEach))
            }
        }
    }

    /// What a setting has to be, seen from its default; `nil` where anything will do.
    private static func wanted(
        _ fallback: JSONValue
    ) -> (text: String, fix: String, fits: (JSONValue) -> Bool)? {
        switch fallback {
        case .null: nil
        case .bool: ("true or false", "Write `true` or `false`.", { $0.bool != nil })
        case .integer, .number: ("a number", "Write a number, without quotes.", { $0.double != nil })
        case .string: ("a text", "Write a text; in quotes, where it looks like something else.", { $0.string != nil })
        case .array: ("a list", "Write `[a, b]` or lines that begin with `-`.", { $0.array != nil })
        case .object: ("a mapping", "Write `key: value` lines under it.", { $0.object != nil })
        }
    }

    /// Whether `${name}` stands for something in a step.
    func isValue(_ name: String, in step: Pipeline.Step) -> Bool {
        pipeline.parameters.contains { $0.name == name } || step.forEach.contains(name)
    }

    /// A value such as `${name}` may take in a step, and what it is called; `nil` where it may be of several types.
    private func sample(of name: String, in step: Pipeline.Step) -> (value: JSONValue, text: String)? {
        let kind: Pipeline.Parameter.Kind
        if step.forEach.contains(name) {
            guard let parameter = axisParameter(name, of: step) else { return (1, "a place in a list") }
            guard parameter.kind == .languages else { return nil }
            kind = .language
        } else {
            guard let parameter = pipeline.parameters.first(where: { $0.name == name }) else { return nil }
            kind = parameter.kind
        }
        return switch kind {
        case .text: ("", "a text")
        case .language: ("", "a language")
        case .number: (1, "a number")
        case .flag: (true, "true or false")
        case .languages, .list: ([], "a list")
        }
    }

    /// The parameter that an axis of a step takes its elements from.
    private func axisParameter(_ axis: String, of step: Pipeline.Step) -> Pipeline.Parameter? {
        guard step.forEach.contains(axis),
            case .parameter(let name) = pipeline.axes.first(where: { $0.name == axis })?.source
        else { return nil }
        return pipeline.parameters.first { $0.name == name }
    }

    // MARK: - Conditions

    mutating func checkCondition(of step: Pipeline.Step) {
        guard let when = step.when, let place = step.whenPlace else { return }
        guard pipeline.parameters.contains(where: { $0.name == when.name }) || axisParameter(when.name, of: step) != nil
        else {
            if step.forEach.contains(when.name) {
                return fault(
                    place, "A condition looks at parameters, and `\(when.name)` comes from a stage's list.",
                    "Compare a parameter, or an axis that comes from one.")
            }
            return fault(
                place, "`${\(when.name)}` is neither a parameter nor an axis of `\(step.name)`.",
                hint(when.name, among: pipeline.parameters.map(\.name) + step.forEach))
        }
        guard let compared = compared(when, in: step) else { return }
        guard let text = when.text else {
            if compared.kind != .flag {
                fault(place, "`${\(when.name)}` is no flag.", "Compare it: `${\(when.name)} == text`.")
            }
            return
        }
        if compared.kind.isList {
            return fault(
                place, "`${\(when.name)}` is a list here.",
                "Have the stage run for each of its elements, and compare the axis.")
        }
        do {
            _ = try compared.accept(.string(text), at: pipeline.file)
        } catch {
            let choices = compared.choices.compactMap(\.string)
            fault(
                place, "`${\(when.name)}` is never `\(text)`.", choices.isEmpty ? error.fix : hint(text, among: choices)
            )
        }
    }

    /// The condition with its text as the parameter would hold it: `PT-br` is `pt-BR`.
    func normalised(_ condition: Condition?, in step: Pipeline.Step) -> Condition? {
        guard var condition, let text = condition.text, let compared = compared(condition, in: step),
            let value = try? compared.accept(.string(text), at: pipeline.file)
        else { return condition }
        condition.text = value.string ?? value.canonical
        return condition
    }

    /// What a condition compares: the parameter, or one that may hold an axis's element.
    private func compared(_ condition: Condition, in step: Pipeline.Step) -> Pipeline.Parameter? {
        guard var parameter = axisParameter(condition.name, of: step) else {
            return pipeline.parameters.first { $0.name == condition.name }
        }
        parameter.kind = parameter.kind == .languages ? .language : .text
        return parameter
    }
}
