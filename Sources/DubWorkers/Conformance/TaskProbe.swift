internal import DubCore
internal import Foundation

/// What a worker is given to do for one task, and what has to be true of the outputs.
struct TaskProbe: Sendable {
    /// An item that cannot be done, and how it may be said.
    struct Wrong: Sendable {
        var what: String
        var item: [String: JSONValue]
        var codes: Set<String>
    }

    var task: WorkerTask
    /// Items that can be done.
    var items: [[String: JSONValue]]
    var wrong: [Wrong]
    /// Complains about an output of an item.
    var verify: @Sendable (_ item: [String: JSONValue], _ output: JSONValue) throws -> Void
    /// Whether an item that can be done may be refused with this code all the same.
    var tolerated: Set<String> = []

    /// Files that probes read and write.
    struct Files: Sendable {
        var folder: URL
        /// Seconds of the tone.
        static let seconds = 2.0
        static let wideRate = 48_000
        static let rate = 16_000

        func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

        /// Writes what probes read.
        func prepare() throws {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            func write(_ name: String, _ data: Data) throws {
                try data.write(to: folder.appendingPathComponent(name))
            }
            let tone = ConformanceSounds.tone(seconds: Self.seconds, rate: Self.rate)
            try write("tone.wav", ConformanceSounds.wav(tone, rate: Self.rate))
            try write("speech.wav", ConformanceSounds.wav(tone, rate: Self.rate))
            try write("text.wav", Data("This is no audio.".utf8))
            let wide = ConformanceSounds.tone(seconds: Self.seconds, rate: Self.wideRate)
            try write("wide.caf", ConformanceSounds.caf(wide, rate: Self.wideRate))
        }

        func audio(_ name: String) -> JSONValue { ["path": .string(path(name))] }

        /// A file that the worker says it wrote.
        func written(_ audio: Synthesis.Audio, by item: [String: JSONValue]) throws -> ConformanceSounds.Wave {
            let wanted = item["output"]?["path"]?.string ?? ""
            try demand(audio.path == wanted, "It was to write \(wanted), and says it wrote \(audio.path).")
            guard let data = FileManager.default.contents(atPath: wanted) else {
                throw Complaint(
                    text: "It says that it wrote \(wanted), which is not there. Does the worker see this folder? "
                        + "Media travel by path: name a folder that both see with --folder.")
            }
            let wave = try ConformanceSounds.Wave(reading: data)
            try demand(wave.channels == 1, "It wrote \(wave.channels) channels; one is needed.")
            try demand(
                wave.rate == audio.sampleRate && wave.frames == audio.frames,
                "It wrote \(wave.frames) frames at \(wave.rate) Hz, and says \(audio.frames) at \(audio.sampleRate).")
            try demand(
                abs(audio.seconds - Double(audio.frames) / Double(audio.sampleRate)) < 0.001,
                "\(audio.frames) frames at \(audio.sampleRate) Hz do not last \(audio.seconds) s.")
            return wave
        }
    }

    /// A sentence in a language; one of numbers where none is at hand.
    static func sentence(in language: String) -> [String] {
        switch language {
        case "en": ["Good morning, everybody.", "The train leaves at seven and comes back at night."]
        case "es": ["Buenos días a todos.", "El tren sale a las siete y vuelve por la noche."]
        case "fr": ["Bonjour à tous.", "Le train part à sept heures et revient le soir."]
        case "de": ["Guten Morgen zusammen.", "Der Zug fährt um sieben und kommt am Abend zurück."]
        case "it": ["Buongiorno a tutti.", "Il treno parte alle sette e torna la sera."]
        case "pt": ["Bom dia a todos.", "O trem sai às sete e volta à noite."]
        default: ["1, 2, 3, 4.", "5, 6, 7, 8, 9, 10."]
        }
    }

    /// Complains about spans that do not lie in order within a length.
    static func ordered(_ spans: [[Double]], within length: Double, _ what: String) throws {
        var last = 0.0
        for span in spans {
            try demand(
                span.count == 2 && span[0] >= last - 0.001 && span[1] >= span[0] && span[1] <= length + 0.05,
                "\(what) \(span) is not in order within \(length) s.")
            last = span[1]
        }
    }
}
