internal import CFFmpeg
internal import DubCore

/// The codecs that dubbed audio is written in.
public enum AudioCodec: String, Sendable, Codable, Hashable, CaseIterable {
    case aac, ac3, eac3, opus, flac, mp3
    case pcm16, pcm24
    /// 32-bit floating point.
    case pcmFloat

    /// FFmpeg's encoder; mp3 needs an FFmpeg that is built with LAME.
    var encoderName: String {
        switch self {
        case .aac: "aac"
        case .ac3: "ac3"
        case .eac3: "eac3"
        case .opus: "libopus"
        case .flac: "flac"
        case .mp3: "libmp3lame"
        case .pcm16: "pcm_s16le"
        case .pcm24: "pcm_s24le"
        case .pcmFloat: "pcm_f32le"
        }
    }

    /// FFmpeg's name of the codec, as a probe of the file shows it.
    var ffmpegName: String {
        switch self {
        case .aac, .ac3, .eac3, .opus, .flac, .mp3: rawValue
        case .pcm16, .pcm24, .pcmFloat: encoderName
        }
    }

    /// Whether this FFmpeg can encode it.
    public var isAvailable: Bool { avcodec_find_encoder_by_name(encoderName) != nil }

    /// Whether samples come back as they went in, at the codec's depth.
    public var isLossless: Bool {
        switch self {
        case .flac, .pcm16, .pcm24, .pcmFloat: true
        case .aac, .ac3, .eac3, .opus, .mp3: false
        }
    }

    /// Bits a second for this many channels: the wish, raised to what speech over music needs and lowered to what the
    /// codec takes; `nil` for lossless codecs.
    func bitRate(_ wish: Int64?, channels: Int) -> Int64? {
        let pairs = Int64((channels + 1) / 2)
        switch self {
        case .aac: return min(max(wish ?? 0, 96_000 * pairs), 256_000 * Int64(channels))
        case .opus: return min(max(wish ?? 0, 96_000 * pairs), 250_000 * Int64(channels))
        case .ac3:
            return Self.step(max(wish ?? 0, [1: 96_000, 2: 192_000][channels] ?? 448_000), Self.ac3Steps)
        case .eac3: return min(max(wish ?? 0, [1: 96_000, 2: 192_000][channels] ?? 384_000), 3_024_000)
        case .mp3: return Self.step(max(wish ?? 0, 128_000), Self.mp3Steps)
        case .flac, .pcm16, .pcm24, .pcmFloat: return nil
        }
    }

    /// The smallest step that is not below the wish, else the largest.
    private static func step(_ wish: Int64, _ steps: [Int64]) -> Int64 {
        steps.first { $0 >= wish } ?? steps.last ?? wish
    }

    /// Bit rates of AC-3 (ATSC A/52, table 5.18), from 96 kbit/s.
    private static let ac3Steps: [Int64] = [96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640]
        .map { $0 * 1000 }
    /// Bit rates of MPEG-1 layer III, from 128 kbit/s.
    private static let mp3Steps: [Int64] = [128, 160, 192, 224, 256, 320].map { $0 * 1000 }

    /// What dubbed audio is written in beside a source stream of FFmpeg's codec `name`: the same family where it can
    /// be encoded; `nil` where the family says nothing.
    public init?(like name: String, bitsPerSample: Int?) {
        switch name {
        case "aac", "aac_latm": self = .aac
        case "ac3": self = .ac3
        case "eac3", "dts", "truehd": self = .eac3
        case "opus", "vorbis": self = .opus
        case "flac", "alac", "wavpack", "ape", "tta": self = .flac
        case "mp3": self = .mp3
        case "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be": self = .pcmFloat
        case let pcm where pcm.hasPrefix("pcm_"): self = (bitsPerSample ?? 16) > 16 ? .pcm24 : .pcm16
        default: return nil
        }
    }
}
