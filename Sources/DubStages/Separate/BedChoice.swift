internal import DubCore
internal import DubGraph
internal import DubMedia
internal import Foundation

/// Where the bed of a dub comes from, as the setting `bed` says it.
enum BedChoice: Hashable, Sendable {
    /// The source's own track of music and effects where it has one, else separation.
    case auto
    /// Speech is taken out of the dialogue stream.
    case separate
    /// An audio stream of the source, by its index, holds music and effects.
    case track(Int)
    /// A file holds music and effects.
    case file(String)

    /// - Throws: `parameter.invalid` for what is none of them; `input.missing` for a file that is not there.
    init(_ text: String) throws(DubError) {
        switch text {
        case "auto": self = .auto
        case "separate": self = .separate
        case let track where track.hasPrefix("track:"):
            guard let index = Int(track.dropFirst("track:".count)), index >= 0 else {
                throw DubError(
                    .parameterInvalid, "`\(text)` names no stream.", at: "bed", fix: "Give its index, as in track:2.")
            }
            self = .track(index)
        case let path where path.contains("/") || path.contains("."):
            guard FileManager.default.fileExists(atPath: path) else {
                throw DubError(
                    .inputMissing, "There is no such file of music and effects.", at: path, fix: "Check the name.")
            }
            self = .file(path)
        default:
            throw DubError(
                .parameterInvalid, "`\(text)` is no bed.", at: "bed",
                fix: "Give auto, separate, simple, track:N, or a file of music and effects.")
        }
    }

    /// The stream of a file that holds music and effects; `nil` where the speech has to be taken out.
    ///
    /// - Throws: `media.no-stream` for a stream that is not there or has no sound.
    func track(in info: MediaInfo) throws(DubError) -> Int? {
        switch self {
        case .separate, .file: return nil
        case .auto: return Self.effects(in: info)?.index
        case .track(let index):
            guard info.streams.contains(where: { $0.index == index && $0.kind == .audio }) else {
                throw DubError(
                    .mediaNoStream, "Stream \(index) is not an audio stream of this file.", at: "bed",
                    fix: "`dubmill inspect` shows what streams a file has.")
            }
            return index
        }
    }

    /// The audio stream that says of itself that it is music and effects: by FFmpeg's disposition, or by its title.
    private static func effects(in info: MediaInfo) -> StreamInfo? {
        let titles = ["m&e", "m & e", "music and effects", "music & effects", "clean effects"]
        return info.streams.first { stream in
            guard stream.kind == .audio, stream.index != info.dialogueStream?.index else { return false }
            if stream.dispositions.contains("clean_effects") { return true }
            guard let title = stream.title?.lowercased() else { return false }
            return titles.contains { title == $0 || title.hasPrefix($0 + " ") }
        }
    }
}
