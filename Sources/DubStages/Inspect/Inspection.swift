public import DubCore
internal import DubMedia
internal import Foundation

/// Measures a file from outside, as a stranger would: against its source where there is one.
public enum Inspection {
    /// What is known of a dub that was not made here.
    public struct Request: Sendable {
        /// The dub.
        public var path: String
        /// What it was made of; `nil` leaves all comparisons out.
        public var source: String?
        /// Which audio track is the dub, and what it is to speak; `nil` takes the default one, and what it says it is.
        public var language: Language?
        /// What is to be said, and when; `nil` where nobody knows.
        public var script: Script?
        /// The thresholds.
        public var rules: GateRules
        /// Whose thresholds hold, later ones over earlier ones.
        public var profiles: [String]
        /// Who listens; `nil` leaves speech, language and words out.
        public var engines: Engines?

        /// Asks for what needs nothing but the file.
        public init(_ path: String) {
            self.path = path
            rules = .none
            profiles = []
        }
    }

    /// Measures a dub, by whomever.
    ///
    /// - Throws: `input.missing`, `media.unreadable`, `media.no-stream`; what the worker throws; `CancellationError`.
    public static func verdict(_ request: Request) async throws -> Verdict {
        var heard: HeardDub?
        let dub = try await Media.probe(request.path)
        let track = try track(of: dub, request.language, at: request.path)
        let language = request.language ?? dub.streams.first { $0.index == track }?.language
        if let engines = request.engines, let language {
            heard = try await HeardDub.listen(request, track: track, language: language, engines: engines)
        }
        var checks = try await Self.checks(
            request.path, source: request.source, language: request.language, speech: heard)
        var lines: [LineFigure] = []
        if let heard, let language {
            if let script = request.script { lines = LineFigure.all(of: script, language, heard) }
            checks += speech(heard, lines, language: language)
            if !lines.isEmpty {
                let silent = lines.count { $0.state == .notVoiced }
                checks.append(
                    Verdict.Check(
                        name: "lines.not-voiced", value: Double(silent), unit: "lines", limit: "at most 0",
                        grade: silent == 0
                            ? .pass : Double(silent) > max(1, 0.1 * Double(lines.count)) ? .fail : .review))
            }
        }
        return Verdict(
            language: language, checks: request.rules.applied(to: checks, profiles: request.profiles),
            figures: lines)
    }

    /// - Parameters:
    ///   - dropped: what the remux left out.
    ///   - speech: where both speak; `nil` leaves out what needs it.
    static func checks(
        _ path: String, source: String?, language: Language?, dropped: [String] = [], speech: HeardDub? = nil,
        isLevelled: Bool = false
    ) async throws -> [Verdict.Check] {
        let dub = try await Media.probe(path)
        let track = try track(of: dub, language, at: path)
        // All at once: an inspection comes last, when cores are idle.
        async let packetsRead = Media.packetDigests(path)
        async let heardDub = sound(path, dub, track)
        var checks: [Verdict.Check] = []
        var spoken: LoudnessReport?
        if let source {
            let original = try await Media.probe(source)
            async let originalsRead = Media.packetDigests(source)
            async let heardSource = original.dialogueStream.asyncMap {
                try await sound(source, original, $0.index).loudness
            }
            async let compared = original.dialogueStream.asyncMap { stream in
                try await MediaThread.run { cancellation in
                    try SoundComparison.of(
                        source: source, stream: stream.index, dub: path, track: track, cancellation: cancellation)
                }
            }
            let (packets, originals) = try await (packetsRead, originalsRead)
            checks.append(order(packets, [track], against: originals))
            checks += streams(original, originals, dub, packets, dropped)
            checks += times(original, originals, dub, packets, [original.dialogueStream?.index: track])
            spoken = try await heardSource
            let change = try await heardDub.loudness.integrated.flatMap { now in spoken?.integrated.map { now - $0 } }
            checks.append(bounded("loudness.change", change, "LU", pass: 2, review: 6))
            if let compared = try await compared {
                checks += comparison(compared, speech, gain: isLevelled ? change ?? 0 : 0)
            }
        }
        let heard = try await heardDub
        checks.append(audible(heard.loudness, against: spoken))
        checks.append(peak(heard.loudness))
        if isLevelled { checks.append(figure("loudness.programme", heard.loudness.integrated, "LUFS")) }
        checks.append(figure("sound.clipped", heard.clipped, "share"))
        return checks
    }

    private static func track(of info: MediaInfo, _ language: Language?, at path: String) throws(DubError) -> Int {
        guard let track = track(of: info, language) else {
            throw DubError(
                .mediaNoStream, "The file has no audio track in \(language?.name ?? "any language").", at: path,
                fix: "Check that this is the dub.")
        }
        return track
    }

    /// The last audio track in the language, or the one a player takes.
    private static func track(of info: MediaInfo, _ language: Language?) -> Int? {
        let audio = info.streams.filter { $0.kind == .audio }
        guard let language else { return info.dialogueStream?.index }
        return audio.last { $0.language?.sameLanguage(as: language) == true }?.index ?? audio.last?.index
    }

    private static func sound(_ path: String, _ info: MediaInfo, _ stream: Int) async throws -> DubSound {
        let layout = info.streams.first { $0.index == stream }?.audio?.layout
        return try await MediaThread.run { cancellation in
            try DubSound.of(path, stream: stream, layout: layout, cancellation: cancellation)
        }
    }

    // MARK: - Checks

    private static func flag(_ name: String, _ holds: Bool, note: String? = nil, else grade: Verdict.Grade = .fail)
        -> Verdict.Check
    {
        .init(name: name, value: holds ? 1 : 0, unit: "bool", limit: "1", grade: holds ? .pass : grade, note: note)
    }

    /// A value that the rules grade; without a rule it passes.
    static func figure(_ name: String, _ value: Double?, _ unit: String, note: String? = nil) -> Verdict.Check {
        .init(name: name, value: value, unit: unit, limit: "any", grade: .pass, note: note)
    }

    /// A value whose size decides: up to `pass` it passes, up to `review` it is set aside.
    static func bounded(
        _ name: String, _ value: Double?, _ unit: String, pass: Double, review: Double
    ) -> Verdict.Check {
        let size = abs(value ?? 0)
        return .init(
            name: name, value: value, unit: unit, limit: "within ±\(pass)",
            grade: value == nil ? .review : size <= pass ? .pass : size <= review ? .review : .fail)
    }

    /// Timestamps that run backwards in the picture and in new tracks, where the source's picture's do not.
    static func order(
        _ packets: [PacketDigest], _ tracks: Set<Int>, against originals: [PacketDigest]
    ) -> Verdict.Check {
        func disorders(_ packets: [PacketDigest], _ tracks: Set<Int>) -> Int {
            packets.filter { tracks.contains($0.stream) || $0.kind == .video }.map(\.disorders).reduce(0, +)
        }
        let before = disorders(originals, [])
        let now = disorders(packets, tracks)
        return .init(
            name: "timestamps.disorders", value: Double(now), unit: "packets", limit: "at most \(before)",
            grade: now <= before ? .pass : .review)
    }

    /// What was to be kept as it was; streams of the source in `replaced` were not.
    static func streams(
        _ original: MediaInfo, _ originals: [PacketDigest], _ dub: MediaInfo, _ packets: [PacketDigest],
        _ dropped: [String], replaced: Set<Int> = []
    ) -> [Verdict.Check] {
        var left = packets
        var missing: [String] = []
        var pictureChanged = false
        for stream in originals where stream.packets > 0 && !replaced.contains(stream.stream) {
            if let index = left.firstIndex(where: { $0.kind == stream.kind && $0.digest == stream.digest }) {
                left.remove(at: index)
                continue
            }
            // MP4's chapter track is written anew by the muxer, and a subtitle changes its wrapping with the container.
            switch stream.kind {
            case .data, .attachment: continue
            case .subtitle:
                guard let index = left.firstIndex(where: { $0.kind == .subtitle && $0.packets >= stream.packets })
                else { break }
                left.remove(at: index)
                continue
            case .video: pictureChanged = pictureChanged || !stream.isAttachedPicture
            case .audio: break
            }
            missing.append("\(stream.kind.rawValue) stream \(stream.stream)")
        }
        return [
            flag("picture.identical", !pictureChanged),
            flag(
                "streams.kept", missing.isEmpty,
                note: (missing + dropped).isEmpty ? nil : (missing + dropped).joined(separator: "; ")),
            flag(
                "rotation.kept",
                original.pictureStream?.video?.rotation == dub.pictureStream?.video?.rotation),
        ]
    }

    /// When sound and picture begin, and how long the file is; `tracks` are new tracks by the stream they stand for.
    static func times(
        _ original: MediaInfo, _ originals: [PacketDigest], _ dub: MediaInfo, _ packets: [PacketDigest],
        _ tracks: [Int?: Int]
    ) -> [Verdict.Check] {
        let changes = tracks.compactMap { stream, track -> Double? in
            let before = offset(originals, stream, original.pictureStream?.index)
            let after = offset(packets, track, dub.pictureStream?.index)
            return before.flatMap { before in after.map { $0 - before } }
        }
        let length = dub.duration.flatMap { now in original.duration.map { now.seconds - $0.seconds } }
        return [
            bounded(
                "start.offset.change", changes.max { abs($0) < abs($1) } ?? 0, "s", pass: 0.001, review: 0.04),
            bounded("duration.change", length, "s", pass: 0.1, review: 0.5),
        ]
    }

    /// The first sound minus the first picture, in seconds; priming before zero does not count.
    private static func offset(_ packets: [PacketDigest], _ audio: Int?, _ picture: Int?) -> Double? {
        func start(_ index: Int?) -> Double? {
            packets.first { $0.stream == index }?.firstPTS.map { max(0, $0.seconds) }
        }
        return start(audio).flatMap { sound in start(picture).map { sound - $0 } }
    }

    /// Whether anything is heard: measured against the source, which may be faint itself.
    private static func audible(_ heard: LoudnessReport, against spoken: LoudnessReport?) -> Verdict.Check {
        let floor = max(-70, (spoken?.integrated ?? -40) - 20)
        let isHeard = heard.integrated.map { $0 > floor } ?? false
        return .init(
            name: "loudness.integrated", value: heard.integrated, unit: "LUFS", limit: "above \(floor.rounded())",
            grade: isHeard ? .pass : .fail, note: isHeard ? nil : "the dub is silent")
    }

    private static func peak(_ heard: LoudnessReport) -> Verdict.Check {
        let peak = heard.truePeak
        return .init(
            name: "loudness.true-peak", value: peak, unit: "dBTP", limit: "at most -1",
            grade: (peak ?? -100) <= -1 ? .pass : (peak ?? -100) <= 0 ? .review : .fail)
    }
}

extension Optional {
    /// As `map`, with a body that waits.
    fileprivate func asyncMap<Value>(_ body: (Wrapped) async throws -> Value) async rethrows -> Value? {
        if let self { try await body(self) } else { nil }
    }
}
