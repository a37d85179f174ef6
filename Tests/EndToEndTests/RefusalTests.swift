import DubCore
import DubTestKit
import DubWorkers
import Foundation
import Testing

extension EndToEnd {
    /// The gate with the real worker: a dub by people passes, bad ones are refused.
    @Suite(.enabled(if: Studio.isHere, "the worker or the recordings of `make samples` are not there")) struct Refusal {
        @Test("a dub of a person's own takes over the same music passes, with every word heard")
        func passes() async throws {
            try await withScratch { scratch in
                let studio = try await Studio(in: scratch)
                let dub = try await studio.dub("good.mp4", speech: "es", .init())
                let (status, verdict) = try await studio.inspect(dub, listens: true)
                #expect(status == 0 && verdict.verdict == "pass", "\(verdict.told)")
                for name in [
                    "source.remains", "bed.correlation", "bed.level.change", "speech.onset.median", "speech.iou",
                    "speech.lag", "language.heard", "words.wrong", "words.lost", "sound.dropouts", "sound.clipped",
                    "speech.mos", "speech.mos.change",
                ] {
                    #expect(verdict.checks.contains { $0.name == name && $0.value != nil }, "\(name)")
                }
                let figures = try #require(verdict.figures)
                #expect(figures.count == Studio.lines.count)
                #expect(figures.allSatisfy { $0.state == "voiced" && ($0.wordsWrong ?? 1) < 0.4 }, "\(figures)")
            }
        }

        /// What is wrong with a dub, and which checks say so.
        private struct Fault: Sendable, CustomTestStringConvertible {
            var testDescription: String
            var speech = "es"
            var recipe = Studio.Recipe()
            var listens = true
            var failed: [String]
        }

        private static let faults: [Fault] = [
            Fault(
                testDescription: "late by 2 s", recipe: .init(filter: "adelay=delays=2000:all=1"),
                failed: ["speech.lag", "speech.onset.median"]),
            Fault(testDescription: "wrong language", speech: "fr", failed: ["language.heard", "words.wrong"]),
            Fault(
                testDescription: "untouched", speech: "en", failed: ["source.remains", "language.heard", "words.wrong"]),
            Fault(testDescription: "no bed", recipe: .init(hasBed: false), failed: ["bed.correlation"]),
            Fault(
                testDescription: "silent", recipe: .init(filter: "volume=0"), failed: ["loudness.integrated"]),
            Fault(
                testDescription: "clipped", recipe: .init(filter: "volume=30dB,aformat=sample_fmts=s16"),
                listens: false,
                failed: ["loudness.true-peak", "sound.clipped"]),
            Fault(
                testDescription: "sound ends early", recipe: .init(filter: "atrim=end=12"), listens: false,
                failed: ["track.length.change"]),
            Fault(
                testDescription: "truncated", recipe: .init(options: ["-t", "12"]), listens: false,
                failed: ["duration.change", "picture.identical"]),
            Fault(
                testDescription: "re-encoded picture",
                recipe: .init(options: ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "30"]), listens: false,
                failed: ["picture.identical"]),
        ]

        @Test("a bad dub is refused, and the checks that it fails are named")
        func refuses() async throws {
            try await withScratch { scratch in
                let studio = try await Studio(in: scratch)
                for (index, fault) in Self.faults.enumerated() {
                    let dub = try await studio.dub("bad-\(index).mp4", speech: fault.speech, fault.recipe)
                    let (status, verdict) = try await studio.inspect(dub, listens: fault.listens)
                    #expect(status == 1 && verdict.verdict == "fail", "\(fault.testDescription): \(verdict.told)")
                    let failed = Set(verdict.checks.filter { $0.grade == "fail" }.map(\.name))
                    #expect(failed.isSuperset(of: fault.failed), "\(fault.testDescription): \(verdict.told)")
                }
            }
        }
    }
}

/// Films and dubs of recordings that exist in three languages, spoken by people.
private struct Studio {
    static let sounds = "/usr/share/asterisk/sounds"
    static let music = "/usr/share/asterisk/moh/manolo_camp-morning_coffee.g722"
    static let voices = ["en": "en_US_f_Allison", "es": "es_MX_f_Allison", "fr": "fr_CA_f_June"]
    /// What makes them equally loud, dB.
    static let gains = ["en": -3.0, "es": 0, "fr": 0]
    static let seconds = 23.0
    /// Where each recording begins, in all languages, and what it says in Spanish.
    static let lines = [
        (
            start: 1.0, end: 8.8, recording: "queue-periodic-announce",
            text: "Todos nuestros representantes se encuentran ocupados. Por favor, espere y pronto le atenderemos."
        ),
        (start: 10.5, end: 12.1, recording: "queue-thankyou", text: "Muchas gracias por su paciencia."),
        (
            start: 14.0, end: 19.7, recording: "vm-intro",
            text:
                "Por favor, deje su mensaje después del tono. Al terminar, cuelgue o presione la tecla de número."
        ),
    ]

    static let isHere: Bool = {
        let files = [music] + voices.values.flatMap { voice in lines.map { "\(sounds)/\(voice)/\($0.recording).g722" } }
        guard files.allSatisfy(FileManager.default.fileExists(atPath:)),
            let home = try? WorkerHome.find(executable: Mill.program),
            let catalogue = try? ModelCatalogue.read(home.catalogue)
        else { return false }
        return ["whisper-base", "silero-vad"].allSatisfy { catalogue[$0]?.state(in: home.models) == .installed }
    }()

    /// What is done to a dub.
    struct Recipe: Sendable {
        /// Whether the music stays.
        var hasBed = true
        /// What its sound goes through.
        var filter = "anull"
        /// Options of ffmpeg for the file.
        var options: [String] = []
    }

    struct Checked: Decodable {
        struct Check: Decodable {
            var name: String
            var value: Double?
            var grade: String
        }
        struct Figure: Decodable {
            var state: String
            var wordsWrong: Double?
        }
        var verdict: String
        var checks: [Check]
        var figures: [Figure]?
        var told: String {
            checks.map { "\($0.name) \($0.value.map { "\($0)" } ?? "–") \($0.grade)" }.joined(separator: "\n")
        }
    }

    let folder: URL
    let film: String
    let script: String

    init(in folder: URL) async throws {
        self.folder = folder
        film = folder.appendingPathComponent("film.mp4").path
        script = folder.appendingPathComponent("film.es.script.json").path
        let (inputs, graph) = Self.sound("en", Recipe())
        try await Tool.ffmpeg(
            ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"] + inputs + [
                "-filter_complex", graph, "-map", "0:v", "-map", "[sound]", "-t", "\(Self.seconds)", "-c:v", "libx264",
                "-preset", "ultrafast", "-c:a", "aac", "-metadata:s:a:0", "language=eng", "film.mp4",
            ], in: folder)
        let spanish = try Language("es")
        let lines = Self.lines.enumerated().map { index, line in
            Line(
                id: "\(index)", start: MediaTime(seconds: line.start), end: MediaTime(seconds: line.end), text: "–",
                translations: [spanish: Translation(text: line.text, origin: .human)])
        }
        let written = Script(language: try Language("en"), duration: MediaTime(seconds: Self.seconds), lines: lines)
        try JSONEncoder().encode(written).write(to: URL(fileURLWithPath: script))
    }

    /// Inputs of ffmpeg behind the first, and a graph that ends in `[sound]`.
    private static func sound(_ language: String, _ recipe: Recipe) -> ([String], String) {
        var inputs: [String] = []
        var graph: [String] = []
        for (index, line) in lines.enumerated() {
            inputs += ["-f", "g722", "-i", "\(sounds)/\(voices[language] ?? "")/\(line.recording).g722"]
            graph.append(
                "[\(index + 1):a]aresample=48000,volume=\(gains[language] ?? 0)dB,adelay=delays=\(Int(line.start * 1000)):all=1[l\(index)]"
            )
        }
        inputs += ["-f", "g722", "-i", music]
        graph.append("[\(lines.count + 1):a]aresample=48000,volume=\(recipe.hasBed ? "-19.5dB" : "0")[bed]")
        let all = lines.indices.map { "[l\($0)]" }.joined() + "[bed]"
        graph.append(
            "\(all)amix=inputs=\(lines.count + 1):normalize=0:duration=longest,atrim=end=\(seconds),\(recipe.filter),"
                + "aformat=channel_layouts=stereo[sound]")
        return (inputs, graph.joined(separator: ";"))
    }

    /// The film with a second track.
    func dub(_ name: String, speech: String, _ recipe: Recipe) async throws -> String {
        let (inputs, graph) = Self.sound(speech, recipe)
        try await Tool.ffmpeg(
            ["-i", "film.mp4"] + inputs + [
                "-filter_complex", graph, "-map", "0:v", "-map", "0:a", "-map", "[sound]", "-t", "\(Self.seconds)",
                "-c:v", "copy", "-c:a:0", "copy", "-c:a:1", "aac", "-metadata:s:a:1", "language=spa",
                "-disposition:a:0", "0", "-disposition:a:1", "default",
            ] + recipe.options + [name], in: folder)
        return folder.appendingPathComponent(name).path
    }

    /// `dubmill inspect` with the worker of this machine.
    func inspect(_ dub: String, listens: Bool) async throws -> (Int32, Checked) {
        struct Report: Decodable { var verdict: Checked }
        let running = try Running(
            Mill.program,
            ["inspect", dub, "--source", film, "--script", script, "--format", "json"]
                + (listens ? [] : ["--no-listen"]),
            environment: ProcessInfo.processInfo.environment, currentFolder: folder, logs: folder)
        let outcome = try await running.finish()
        guard let report = try? JSONDecoder().decode(Report.self, from: Data(outcome.stdout.utf8)) else {
            throw Tool.Failed(description: "\(outcome.status) \(outcome.stdout) \(outcome.stderr)")
        }
        return (outcome.status, report.verdict)
    }
}
