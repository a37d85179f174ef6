internal import DubCore
internal import DubMedia
internal import DubReport
internal import DubRunner
internal import Foundation

/// Gathers what a page shows of a run's dubs: verdicts that lie beside them, and the sound of the files.
struct DubStories: Sendable {
    /// Where the page will lie, absolute: links start there. `nil` makes them absolute.
    let folder: String?
    /// Whether sounds are read.
    let drawsSound: Bool

    /// More dubs than these are told in the table of files alone; the worst go first.
    private static let limit = 20

    /// The dubs of a run whose verdicts can still be read, the worst first.
    func all(of story: RunStory) async throws -> [DubStory] {
        var found: [(item: ItemRecord, output: OutputRecord, verdict: DubVerdict)] = []
        for item in story.items {
            for output in item.outputs where output.kind == "verdict" {
                guard let data = try? Data(contentsOf: URL(filePath: output.path)),
                    let verdict = try? DubVerdict(data), verdict.hasLines
                else { continue }
                found.append((item, output, verdict))
            }
        }
        found.sort { ($0.verdict.rank, $0.item.index) < ($1.verdict.rank, $1.item.index) }
        var sounds: [String: DubStory.Sound] = [:]
        var dubs: [DubStory] = []
        for (item, output, verdict) in found.prefix(Self.limit) {
            let language = output.language.flatMap { try? Language($0) }
            let video =
                item.outputs.first { $0.kind == "video" && $0.language == output.language }
                ?? item.outputs.first { $0.kind == "quarantined-video" && $0.language == output.language }
            if sounds[item.source] == nil { sounds[item.source] = await sound(of: item.source, nil) }
            let original = film(item.source, "The source is no longer at \(item.source).", sounds[item.source])
            let path = video?.path
            let dub = film(
                path,
                path.map { "The dub is no longer at \($0)." }
                    ?? "The gate refused this dub, and it was not handed out. With --quarantine DIR it is kept.",
                await sound(of: path, language))
            dubs.append(
                DubStory(
                    source: item.source, language: language?.name ?? "its language", verdict: verdict,
                    original: original, dub: dub))
        }
        return dubs
    }

    private func film(_ path: String?, _ absence: String, _ sound: DubStory.Sound?) -> DubStory.Film {
        guard let path, FileManager.default.fileExists(atPath: path) else {
            return DubStory.Film(link: nil, absence: absence, sound: sound)
        }
        return DubStory.Film(link: link(to: path), absence: absence, sound: sound)
    }

    /// An address, relative where the page's folder is known.
    private func link(to path: String) -> String {
        let allowed = CharacterSet.urlPathAllowed.subtracting(CharacterSet(charactersIn: ":;'"))
        func encoded(_ text: String) -> String { text.addingPercentEncoding(withAllowedCharacters: allowed) ?? text }
        guard let folder else { return "file://" + encoded(path) }
        let (here, there) = (folder.split(separator: "/"), path.split(separator: "/"))
        let shared = zip(here, there).prefix { $0 == $1 }.count
        let steps = Array(repeating: "..", count: here.count - shared) + there[shared...].map { encoded(String($0)) }
        return steps.joined(separator: "/")
    }

    /// What a file sounds like; `nil` where it cannot be read.
    private func sound(of path: String?, _ language: Language?) async -> DubStory.Sound? {
        guard drawsSound, let path, let info = try? await Media.probe(path) else { return nil }
        let own = info.streams.last { stream in
            stream.kind == .audio && language.map { stream.language?.sameLanguage(as: $0) == true } ?? false
        }
        let stream = (own ?? info.dialogueStream)?.index
        let peaks = try? await MediaThread.run { cancellation in
            try SoundPeaks.read(path, stream: stream, cancellation: cancellation)
        }
        return peaks.map { DubStory.Sound(peaks: $0.peaks, part: $0.part) }
    }
}
