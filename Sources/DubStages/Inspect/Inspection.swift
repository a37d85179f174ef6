public import DubCore
internal import DubMedia
internal import Foundation

/// Measures a file from outside, as a stranger would: against its source where there is one.
public enum Inspection {
    /// The checks that need nothing but the files.
    ///
    /// - Parameters:
    ///   - path: the dub.
    ///   - source: what it was made of; `nil` leaves all comparisons out.
    ///   - language: which audio track is the dub; `nil` takes the default one.
    /// - Throws: `input.missing`, `media.unreadable`, `media.no-stream`; `CancellationError`.
    public static func verdict(on path: String, source: String?, language: Language?) async throws -> Verdict {
        Verdict(language: language, checks: try await checks(path, source: source, language: language))
    }

    /// - Parameters:
    ///   - dropped: what the remux left out.
    ///   - change: how far the loudness may be from the source's to pass, LU.
    ///   - level: by how much the whole was raised for a loudness profile, dB.
    ///   - ceiling: the highest true peak of a loudness profile, dBTP.
    static func checks(
        _ path: String, source: String?, language: Language?, dropped: [String] = [], change: Double = 2,
        level raised: Double = 0, ceiling: Double? = nil
    ) async throws -> [Verdict.Check] {
        let dub = try await Media.probe(path)
        guard let track = track(of: dub, language) else {
            throw DubError(
                .mediaNoStream, "The file has no audio track in \(language?.name ?? "any language").", at: path,
                fix: "Check that this is the dub.")
        }
        // All at once: an inspection comes last, when cores are idle.
        async let packetsRead = Media.packetDigests(path)
        async let heardDub = loudness(path, track)
        var checks: [Verdict.Check] = []
        var spoken: LoudnessReport?
        if let source {
            let original = try await Media.probe(source)
            async let originalsRead = Media.packetDigests(source)
            async let heardSource = original.dialogueStream.asyncMap { try await loudness(source, $0.index) }
            let (packets, originals) = try await (packetsRead, originalsRead)
            checks.append(order(packets, [track], against: originals))
            checks += streams(original, originals, dub, packets, dropped)
            checks += times(original, originals, dub, packets, [original.dialogueStream?.index: track])
            spoken = try await heardSource
            checks.append(level(try await heardDub, spoken, raised: raised, within: change))
        }
        let heard = try await heardDub
        checks.append(audible(heard, against: spoken))
        checks.append(peak(heard, ceiling ?? -1))
        return checks
    }

    /// The last audio track in the language, or the one a player takes.
    private static func track(of info: MediaInfo, _ language: Language?) -> Int? {
        let audio = info.streams.filter { $0.kind == .audio }
        guard let language else { return info.dialogueStream?.index }
        return audio.last { $0.language?.sameLanguage(as: language) == true }?.index ?? audio.last?.index
    }

    private static func loudness(_ path: String, _ stream: Int) async throws -> LoudnessReport {
        try await MediaThread.run { cancellation in
            try LoudnessMeter.measure(
                path, stream: stream, as: AudioFormat(sampleRate: 48_000, layout: "stereo"), cancellation: cancellation)
        }
    }

    // MARK: - Checks

    private static func flag(_ name: String, _ holds: Bool, note: String? = nil, else grade: Verdict.Grade = .fail)
        -> Verdict.Check
    {
        .init(name: name, value: holds ? 1 : 0, unit: "bool", limit: "1", grade: holds ? .pass : grade, note: note)
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

    private static func level(
        _ heard: LoudnessReport, _ spoken: LoudnessReport?, raised: Double, within change: Double
    ) -> Verdict.Check {
        bounded(
            "loudness.change", heard.integrated.flatMap { now in spoken?.integrated.map { now - $0 - raised } }, "LU",
            pass: change, review: 6)
    }

    /// Whether anything is heard: measured against the source, which may be faint itself.
    private static func audible(_ heard: LoudnessReport, against spoken: LoudnessReport?) -> Verdict.Check {
        let floor = max(-70, (spoken?.integrated ?? -40) - 20)
        let isHeard = heard.integrated.map { $0 > floor } ?? false
        return .init(
            name: "loudness.integrated", value: heard.integrated, unit: "LUFS", limit: "above \(floor.rounded())",
            grade: isHeard ? .pass : .fail, note: isHeard ? nil : "the dub is silent")
    }

    private static func peak(_ heard: LoudnessReport, _ ceiling: Double) -> Verdict.Check {
        let peak = heard.truePeak
        return .init(
            name: "loudness.true-peak", value: peak, unit: "dBTP", limit: "at most \(Int(ceiling))",
            grade: (peak ?? -100) <= ceiling ? .pass : (peak ?? -100) <= 0 ? .review : .fail)
    }
}

extension Optional {
    /// As `map`, with a body that waits.
    fileprivate func asyncMap<Value>(_ body: (Wrapped) async throws -> Value) async rethrows -> Value? {
        if let self { try await body(self) } else { nil }
    }
}
