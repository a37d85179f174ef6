/// What went wrong, where, and what to do about it. Every failure that a user meets is one of these.
///
/// `code` is the stable part: scripts and tests match on it, never on the prose.
public struct DubError: Error, Sendable, CustomStringConvertible {
    /// A stable, dotted name of a kind of failure, such as `media.unreadable`.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The dotted name.
        public let name: String

        /// Makes a code; rooms declare theirs as static members in extensions.
        public init(name: String) {
            self.name = name
        }

        /// The dotted name.
        public var description: String { name }
    }

    /// The stable kind of failure.
    public var code: Code
    /// What broke, as a sentence.
    public var what: String
    /// Where: a path, a `file:line`, a stage, a host.
    public var place: String
    /// What the reader can do about it.
    public var fix: String
    /// What the same call may do when repeated: see `Persistence`.
    public var persistence: Persistence
    /// The failure underneath, if there is one.
    public var cause: (any Error)?

    /// Whether trying the same again can help.
    public enum Persistence: String, Sendable, Codable {
        /// The same input fails in the same way: never retried.
        case permanent
        /// A worker died, a disk was busy: the runner may try again.
        case transient
    }

    /// Makes an error; permanent unless said otherwise.
    public init(
        _ code: Code, _ what: String, at place: String, fix: String,
        persistence: Persistence = .permanent, cause: (any Error)? = nil
    ) {
        self.code = code
        self.what = what
        self.place = place
        self.fix = fix
        self.persistence = persistence
        self.cause = cause
    }

    /// Three lines: code and fault, place, remedy.
    public var description: String {
        "error[\(code.name)]: \(what)\n  where: \(place)\n  fix:   \(fix)"
    }
}

extension DubError.Code {
    /// An input file is missing, is a directory, or may not be read.
    public static let inputMissing = Self(name: "input.missing")
    /// An input is another than it was when it was first looked at.
    public static let inputChanged = Self(name: "input.changed")
    /// A file is in no known container, or too damaged to be read.
    public static let mediaUnreadable = Self(name: "media.unreadable")
    /// A file has no stream of the kind that was asked for.
    public static let mediaNoStream = Self(name: "media.no-stream")
    /// A decoder, encoder, filter or muxer of FFmpeg refused.
    public static let mediaFailed = Self(name: "media.failed")
    /// An output could not be written: permissions, a full disk, a missing folder.
    public static let outputUnwritable = Self(name: "output.unwritable")
    /// A language tag is malformed or names no known language.
    public static let languageUnknown = Self(name: "language.unknown")
    /// A language is known, and no installed engine can do what was asked in it.
    public static let languageUnsupported = Self(name: "language.unsupported")
    /// `dubmill.yaml`, a `.dubmill.yaml`, a manifest, a `DUBMILL_*` variable or a number on the command line is wrong.
    public static let settingsInvalid = Self(name: "settings.invalid")
}
