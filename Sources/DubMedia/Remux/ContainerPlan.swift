internal import CFFmpeg
internal import DubCore

/// Which container an output is written in, and why.
struct ContainerPlan: Equatable {
    /// FFmpeg's name of the muxer.
    var muxer: String
    /// The output's extension, without a dot.
    var suffix: String
    /// Why it is not the source's; `nil` where it is.
    var reason: String?
    /// Whether the copy is read back and compared: for containers that cut or wrap packets anew.
    var needsProof = false

    /// The codec of added text subtitles; `nil` where the container has none.
    var subtitleCodec: AVCodecID? {
        switch muxer {
        case "mp4", "mov", "ipod", "3gp", "3g2": AV_CODEC_ID_MOV_TEXT
        case "matroska": AV_CODEC_ID_SUBRIP
        case "webm": AV_CODEC_ID_WEBVTT
        default: nil
        }
    }

    var isMatroska: Bool { muxer == "matroska" || muxer == "webm" }
    var isQuickTime: Bool { ["mp4", "mov", "ipod", "3gp", "3g2"].contains(muxer) }

    /// The source's own container where dubmill can write it and it can hold the result, then Matroska.
    static func candidates(for info: MediaInfo, request: RemuxRequest) -> [ContainerPlan] {
        let picture = info.streams.contains { $0.video?.isAttachedPicture == false }
        var fallback = ContainerPlan(muxer: "matroska", suffix: picture ? "mkv" : "mka")
        if request.audio.isEmpty, request.subtitles.isEmpty, let plan = plain(info) { return [plan, fallback] }
        switch own(for: info, picture: picture) {
        case .success(let plan):
            guard !plan.isMatroska || plan.muxer == "webm" else { return [plan] }
            fallback.reason = "The \(plan.muxer) container cannot hold the result."
            if request.requiresSubtitles, !request.subtitles.isEmpty, plan.subtitleCodec == nil {
                fallback.reason = "The \(plan.muxer) container cannot hold text subtitles."
                return [fallback]
            }
            return [plan, fallback]
        case .failure(let refusal):
            fallback.reason = refusal.reason
            return [fallback]
        }
    }

    /// The source's own container where it holds one sound and nothing is added to it.
    private static func plain(_ info: MediaInfo) -> ContainerPlan? {
        let sounds = info.streams.filter { $0.kind == .audio }
        guard sounds.count == 1, info.streams.allSatisfy({ $0.kind == .audio || $0.video?.isAttachedPicture == true })
        else { return nil }
        let name = info.container.split(separator: ",").first.map(String.init) ?? ""
        let suffixes = ["wav", "w64", "flac", "mp3", "aac", "ac3", "eac3"]
        guard suffixes.contains(name) else { return nil }
        let plan = ContainerPlan(muxer: name == "aac" ? "adts" : name, suffix: name, needsProof: true)
        guard let codec = AudioCodec(like: sounds[0].codec, bitsPerSample: sounds[0].audio?.bitsPerSample),
            plan.holds(codec)
        else { return nil }
        return plan
    }

    private struct Refusal: Error { var reason: String }

    private static func own(for info: MediaInfo, picture: Bool) -> Result<ContainerPlan, Refusal> {
        let suffix = suffix(of: info.path)
        let names = info.container.split(separator: ",").map(String.init)
        switch names.first ?? "" {
        case "mov": return .success(quickTime(info, suffix, picture: picture))
        case "matroska":
            if suffix == "webm" { return .success(ContainerPlan(muxer: "webm", suffix: suffix)) }
            let kept = ["mkv", "mka", "mk3d", "mks"].contains(suffix) ? suffix : picture ? "mkv" : "mka"
            return .success(ContainerPlan(muxer: "matroska", suffix: kept))
        case "mpegts":
            let kept = ["ts", "m2ts", "mts", "m2t"].contains(suffix) ? suffix : "ts"
            return .success(ContainerPlan(muxer: "mpegts", suffix: kept, needsProof: true))
        case "ogg":
            let kept = ["ogg", "oga", "ogv", "opus"].contains(suffix) ? suffix : "ogg"
            return .success(ContainerPlan(muxer: "ogg", suffix: kept, needsProof: true))
        case "avi": return .failure(Refusal(reason: "AVI cannot name the language of a track."))
        case "mpeg":
            return .failure(Refusal(reason: "An MPEG program stream cannot name the language of a track."))
        case "flv", "live_flv": return .failure(Refusal(reason: "FLV holds one audio track."))
        case let name where !picture && info.streams.count <= 2:
            return .failure(Refusal(reason: "A file of the kind \(name) holds one audio track."))
        case let name: return .failure(Refusal(reason: "dubmill does not write \(name) files."))
        }
    }

    private static func quickTime(_ info: MediaInfo, _ suffix: String, picture: Bool) -> ContainerPlan {
        let brand = info.metadata["major_brand"] ?? ""
        switch suffix {
        case "mov", "qt": return ContainerPlan(muxer: "mov", suffix: suffix)
        case "3gp", "3g2": return ContainerPlan(muxer: suffix, suffix: suffix)
        case "m4a", "m4b": return ContainerPlan(muxer: picture ? "mp4" : "ipod", suffix: suffix)
        case "mp4", "m4v": return ContainerPlan(muxer: brand.hasPrefix("qt") ? "mov" : "mp4", suffix: suffix)
        default:
            let muxer = brand.hasPrefix("qt") ? "mov" : "mp4"
            return ContainerPlan(muxer: muxer, suffix: muxer)
        }
    }

    private static func suffix(of path: String) -> String {
        let name = path.split(separator: "/").last ?? ""
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return "" }
        return name[name.index(after: dot)...].lowercased()
    }

    /// What dubbed audio is written in beside `stream`.
    func codec(like stream: StreamInfo?) -> AudioCodec {
        let usual: AudioCodec = muxer == "webm" || muxer == "ogg" ? .opus : .aac
        guard let stream,
            let family = AudioCodec(like: stream.codec, bitsPerSample: stream.audio?.bitsPerSample)
        else {
            return usual
        }
        return holds(family) ? family : usual
    }

    private func holds(_ codec: AudioCodec) -> Bool {
        guard codec.isAvailable else { return false }
        switch (muxer, codec) {
        // MP3 in MP4 is legal and badly supported by players of several tracks; Apple's refuse it.
        case ("mp4", .mp3), ("ipod", .mp3), ("3gp", .mp3), ("3g2", .mp3): return false
        // FFmpeg's MP4 muxer of 5.1 has no PCM, and its FLAC and Opus in .mov are not QuickTime's.
        case ("mov", .flac), ("mov", .opus): return false
        case ("mov", _), ("matroska", _): return true
        case ("mp4", .aac), ("mp4", .ac3), ("mp4", .eac3), ("mp4", .opus), ("mp4", .flac): return true
        case ("ipod", .aac), ("ipod", .ac3), ("3gp", .aac), ("3g2", .aac): return true
        case ("webm", .opus), ("ogg", .opus), ("ogg", .flac): return true
        case ("mpegts", .aac), ("mpegts", .ac3), ("mpegts", .eac3), ("mpegts", .opus), ("mpegts", .mp3):
            return true
        case ("wav", .pcm16), ("wav", .pcm24), ("wav", .pcmFloat), ("w64", .pcm16), ("w64", .pcm24): return true
        case ("w64", .pcmFloat), ("flac", .flac), ("mp3", .mp3), ("adts", .aac), ("ac3", .ac3): return true
        case ("eac3", .eac3): return true
        default: return false
        }
    }
}
