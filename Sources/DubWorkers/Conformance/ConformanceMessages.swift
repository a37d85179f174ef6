internal import DubCore

/// The messages of docs/worker-protocol.schema.json, strictly: decoding fails where something required is missing.
///
/// The callers of workers (`Capabilities`, `Transcription.Output` and so on) read the same messages leniently.
enum Strict {
    struct Health: Decodable {
        var `protocol`: Int
        var worker: String
        var version: String
        var pid: Int
        var status: String
    }

    struct Offer: Decodable {
        var `protocol`: Int
        var tasks: [String: [Model]]
    }

    struct Model: Decodable, Sendable {
        var model: String
        var engine: String
        var installed: Bool
        var digest: String?
        var revision: Int
        var draft: Bool
        var languages: [String]?
        var pairs: [[String]]?
        var voices: [String: Voices]?
        var sampleRate: Int?
        var rate: [Double]?

        private enum CodingKeys: String, CodingKey {
            case model, engine, installed, digest, revision, draft, languages, pairs, voices, rate
            case sampleRate = "sample_rate"
        }
    }

    struct Voices: Decodable, Sendable {
        var `default`: String
        var names: [String]
    }

    struct Refusal: Decodable {
        var error: WorkerFault
    }

    struct SpeechSpans: Decodable {
        var duration: Double
        var segments: [[Double]]
    }

    struct SpokenLanguage: Decodable {
        var language: String
        var probability: Double
        var candidates: [LanguageDetection.Candidate]
    }

    struct Transcript: Decodable {
        var language: String
        var attempts: Int
        var segments: [Segment]
    }

    struct Segment: Decodable {
        var start: Double
        var end: Double
        var text: String
        var logProbability: Double
        var noSpeechProbability: Double
        var compressionRatio: Double
        var words: [Word]

        private enum CodingKeys: String, CodingKey {
            case start, end, text, words
            case logProbability = "avg_logprob"
            case noSpeechProbability = "no_speech_prob"
            case compressionRatio = "compression_ratio"
        }
    }

    struct Word: Decodable {
        var text: String
        var start: Double
        var end: Double
        var probability: Double
    }

    struct TranslatedLine: Decodable {
        var text: String
        var engine: String
        var attempts: Int
        var draft: Bool
        var notes: [String]
    }

    struct SpokenLine: Decodable {
        var audio: Synthesis.Audio
        var speech: [Double]
        var engine: String
        var voice: String
        var language: String
        var draft: Bool
        var notes: [String]
    }

    struct SpeechAlone: Decodable {
        var audio: Synthesis.Audio
    }

    struct VoiceDirections: Decodable {
        var dimensions: Int
        var spans: [Direction]
    }

    struct Direction: Decodable {
        var vector: [Double]
        var pitch: Double?
    }

    /// The codes of errors that the protocol knows.
    static let codes: Set = [
        "unsupported_language", "bad_audio", "bad_request", "out_of_memory", "model_missing", "rejected_output",
        "internal",
    ]

    /// The tasks that the protocol knows.
    static let tasks: Set<WorkerTask> = [
        .detectSpeech, .detectLanguage, .transcribe, .translate, .synthesize, .separate, .embed, .quality,
    ]

    /// Whether a text is a SHA-256 in hexadecimal digits.
    static func isDigest(_ text: String) -> Bool {
        text.utf8.count == 64 && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    /// Whether a text is a language tag as the protocol writes them.
    static func isLanguage(_ text: String) -> Bool {
        text.wholeMatch(of: /[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*/) != nil
    }
}
