public import DubCore

/// A pipeline file as written: names and references, not yet checked against the stages that exist.
public struct Pipeline: Sendable {
    /// A value that a run may set.
    public struct Parameter: Sendable {
        /// What may stand for it.
        public enum Kind: String, Sendable, CaseIterable {
            case text
            case number
            case flag
            case language
            case languages
            case list

            /// Whether it has elements to fan out over.
            public var isList: Bool { self == .languages || self == .list }
        }

        /// The name used in `${…}` and on the command line.
        public var name: String
        /// What it may be.
        public var kind: Kind
        /// What holds where the run sets nothing; `nil` makes it required.
        public var fallback: JSONValue?
        /// The only texts, numbers or elements allowed; empty allows all.
        public var choices: [JSONValue]
        /// The least number allowed.
        public var min: Double?
        /// The largest number allowed.
        public var max: Double?
        /// What it is for, in a sentence.
        public var summary: String
        /// Where it is written.
        public var place: Place
        /// Where its default is written.
        public var fallbackPlace: Place
    }

    /// A named set of parameter values.
    public struct Profile: Sendable {
        /// The name, as in `--profile`.
        public var name: String
        /// Values by the parameter's name.
        public var values: [String: JSONValue]
        /// Where each value stands.
        public var places: [String: Place]
    }

    /// Something to fan out over: a list parameter, or a list that a stage writes.
    public struct Axis: Sendable {
        /// The name used in `for_each` and in `[…]`.
        public var name: String
        /// Where its elements come from.
        public var source: Source
        /// Where it is written.
        public var place: Place

        /// Where an axis gets its elements.
        public enum Source: Sendable {
            case parameter(String)
            case output(stage: String, name: String)
        }
    }

    /// What an input is wired to.
    public enum Reference: Sendable, Hashable, CustomStringConvertible {
        /// A thing handed to the run from outside: `item`, `edits`, `cast`, `gate`, or the path of a file that lies
        /// beside the pipeline.
        case given(String)
        /// Another stage's output, whole.
        case output(stage: String, name: String)
        /// One element of another stage's list, at this node's place on an axis.
        case element(stage: String, name: String, axis: String)

        /// The stage that it reads from; `nil` for what is given from outside.
        var stage: String? {
            switch self {
            case .given: nil
            case .output(let stage, _), .element(let stage, _, _): stage
            }
        }

        /// Whether it is a file that lies beside the pipeline.
        var isFile: Bool { if case .given(let name) = self { name.contains("/") } else { false } }

        /// It as a file names it that includes others or is included: paths go from that file's folder.
        func from(_ file: String) -> Self {
            guard isFile, case .given(let name) = self else { return self }
            let folder = file.lastIndex(of: "/").map { String(file[...$0]) } ?? "./"
            return .given(folder + (name.hasPrefix("./") ? String(name.dropFirst(2)) : name))
        }

        /// As it is written.
        public var description: String {
            switch self {
            case .given(let name): name
            case .output(let stage, let name): "\(stage).\(name)"
            case .element(let stage, let name, let axis): "\(stage).\(name)[\(axis)]"
            }
        }
    }

    /// Where something is written.
    public struct Place: Sendable, Hashable {
        /// The pipeline's file, or one that it includes.
        public var file: String
        /// Counted from 1; 0 for the file as a whole.
        public var line: Int
        /// Counted from 1; 0 where unknown.
        public var column: Int
    }

    /// What a step of an open stage writes, as the file declares it.
    public struct Written: Sendable {
        /// The name behind the dot in a reference.
        public var name: String
        /// The extension of the file, or of each file of a list, without the dot.
        public var type: String
        /// Whether it is a list of files.
        public var isList: Bool
        /// Where it is written.
        public var place: Place
    }

    /// One stage of the file.
    public struct Step: Sendable {
        /// Its name here.
        public var name: String
        /// The kind of stage.
        public var uses: String
        /// Inputs by name.
        public var inputs: [String: (reference: Reference, place: Place)]
        /// Settings by name; texts may hold `${parameter}` and `${axis}`.
        public var with: [String: JSONValue]
        /// Where each setting stands.
        public var withPlaces: [String: Place]
        /// What it writes, where its stage is open; sorted by name.
        public var out: [Written] = []
        /// The axes it runs over, outermost first.
        public var forEach: [String]
        /// Whether its nodes are needed; `nil` where they always are.
        public var when: Condition?
        /// Where its condition stands.
        public var whenPlace: Place?
        /// How its nodes are run.
        public var policy = RunPolicy()
        /// Where it is written.
        public var place: Place
    }

    /// A file that a finished item leaves in the output folder.
    public struct Delivery: Sendable {
        /// `video`, `audio`, `subtitles`, `script` or `verdict`.
        public var kind: String
        /// The stage whose output it is.
        public var stage: String
        /// The output.
        public var output: String
        /// Put before the extension: `{stem}` and axis names in braces are filled in.
        public var name: String
        /// Where it is written.
        public var place: Place
    }

    /// Where it was read from.
    public var file: String
    /// Its name, as in `--pipeline`.
    public var name: String
    /// What it is for, in a sentence.
    public var summary: String
    /// In the order of the file.
    public var parameters: [Parameter]
    /// In the order of the file.
    public var profiles: [Profile]
    /// In the order of the file.
    public var axes: [Axis]
    /// In the order of the file.
    public var steps: [Step]
    /// In the order of the file.
    public var deliveries: [Delivery]

    /// What a profile sets.
    ///
    /// - Throws: `parameter.invalid` naming the profiles that there are.
    public func profile(_ name: String) throws(DubError) -> [String: JSONValue] {
        guard let profile = profiles.first(where: { $0.name == name }) else {
            throw DubError(
                .parameterInvalid, "The pipeline has no profile `\(name)`.", at: file,
                fix: profiles.isEmpty ? "Leave --profile away." : hint(name, among: profiles.map(\.name)))
        }
        return profile.values
    }
}

extension Pipeline {
    /// The paths of the files beside it that its stages read.
    public var files: [String] {
        Set(steps.flatMap { $0.inputs.values.map(\.reference) }.filter(\.isFile).map(\.description)).sorted()
    }
}
