internal import CFFmpeg
internal import DubCore

/// One attempt to write an output in one container.
struct RemuxSession: ~Copyable {
    let source: Demuxer
    var muxer: Muxer
    let plan: ContainerPlan
    let info: MediaInfo
    /// Output index by source index; `nil` for streams that are not copied packet by packet.
    var places: [Int?]
    var dropped: [String] = []
    var added: [RemuxReport.Track] = []
    var replaced: [RemuxReport.Replacement] = []
    var repaired = 0
    var lastDTS: [Int: Int64] = [:]
    /// Streams of the output that have had a packet.
    var written: Set<Int> = []
    var tallies: [Int: PacketTally] = [:]
    /// Added to the source's clock in the output, in microseconds.
    var shift: Int64 = 0
    /// The source's stream beside which dubs run.
    let guide: Int?
    /// Streams that are written anew, by their index in the source.
    let levels: [Int: Levelling]
    /// First and last time of the source's streams beside which new tracks run, on the source's clock, in microseconds.
    var starts: [Int: Int64] = [:]
    var ends: [Int: Int64] = [:]

    init(
        _ source: consuming Demuxer, _ muxer: consuming Muxer, plan: ContainerPlan, info: MediaInfo,
        replaced: [ReplacedAudio]
    ) {
        places = info.streams.map { _ in nil }
        guide = info.dialogueStream?.index ?? info.pictureStream?.index
        levels = Dictionary(replaced.map { ($0.stream, $0.levelling) }, uniquingKeysWith: { $1 })
        self.source = source
        self.muxer = muxer
        self.plan = plan
        self.info = info
    }

    var sameContainer: Bool {
        let names = source.container.split(separator: ",")
        return plan.isQuickTime
            ? names.first == "mov"
            : plan.isMatroska ? names.first == "matroska" : names.contains { $0 == plan.muxer }
    }

    /// Copies everything and adds what the request asks for.
    ///
    /// - Throws: `media.unsupported` where this container cannot hold the streams.
    consuming func run(_ request: RemuxRequest, progress: (Double) -> Void) throws -> RemuxReport {
        if source.container == "avi" || source.container == "mpeg" {
            source.context.pointee.flags |= AVFMT_FLAG_GENPTS
        }
        try mapStreams(hasAddedAudio: !request.audio.isEmpty)
        let prelude = try readPrelude()
        try muxer.copyHead(of: source.context, sameContainer: sameContainer, shift: shift)
        var feeds = try addDubs(request)
        try addReplacements(to: &feeds)
        let texts = try addSubtitles(request)
        let options = headerOptions
        try muxer.writeHeader(options)
        var pump = Pump(dubs: feeds, texts: texts)
        try copyAll(prelude, &pump, progress: progress)
        leaveOutEmptyTracks(pump)
        try muxer.finish()
        if plan.needsProof { try prove() }
        let report = RemuxReport(
            path: muxer.path, container: muxer.format, reason: plan.reason, added: added,
            replaced: request.replaced.isEmpty ? nil : replaced, dropped: dropped, repairedTimestamps: repaired)
        try muxer.commit()
        return report
    }

    var headerOptions: [String: String] {
        if plan.isQuickTime {
            // Keys of Apple's cameras and of FFmpeg's own users survive only as QuickTime metadata.
            let foreign = info.metadata.keys.contains { $0.hasPrefix("com.") }
            // Edit lists count in this: with FFmpeg's 1/1000 s streams would move by up to a millisecond.
            var options = ["movie_timescale": "90000"]
            if foreign { options["movflags"] = "use_metadata_tags" }
            return options
        }
        if plan.muxer == "mpegts" {
            var options = ["mpegts_copyts": "1"]
            if ["m2ts", "mts", "m2t"].contains(plan.suffix) { options["mpegts_m2ts_mode"] = "1" }
            return options
        }
        // Beyond 4 GiB.
        return plan.muxer == "wav" ? ["rf64": "auto"] : [:]
    }

    /// Makes a stream in the output for each that is copied.
    ///
    /// Dispositions: all are kept, but where audio is added, `default` leaves the original audio, and the stream that
    /// was dubbed is flagged `original`.
    private mutating func mapStreams(hasAddedAudio: Bool) throws {
        var covers: [Int] = []
        for index in 0..<source.streamCount {
            let stream = source.stream(index)
            if levels[index] != nil {
                places[index] = Int(try muxer.addReplacement(of: stream, sameContainer: sameContainer).pointee.index)
                continue
            }
            let copy = try StreamCopy.decide(
                stream, plan: plan, muxer: muxer.context.pointee.oformat, hasChapters: !info.chapters.isEmpty,
                path: source.path)
            switch copy {
            case .track:
                let made = try muxer.addCopy(of: stream, sameContainer: sameContainer)
                places[index] = Int(made.pointee.index)
                if hasAddedAudio, made.pointee.codecpar.pointee.codec_type == AVMEDIA_TYPE_AUDIO {
                    made.pointee.disposition &= ~AV_DISPOSITION_DEFAULT
                    if index == info.dialogueStream?.index {
                        made.pointee.disposition |= AV_DISPOSITION_ORIGINAL
                    }
                }
                if plan.needsProof { tallies[index] = PacketTally() }
            case .attachedFile:
                covers.append(index)
                stream.pointee.discard = AVDISCARD_ALL
            case .none(let why):
                if let why { dropped.append(why) }
                stream.pointee.discard = AVDISCARD_ALL
            }
        }
        // Matroska lists attached files after all tracks, wherever they are made.
        for index in covers { try muxer.addAttachedFile(of: source.stream(index)) }
    }

    /// FFmpeg's MP4 muxer lists no track without samples: later ones move up.
    mutating func leaveOutEmptyTracks(_ pump: borrowing Pump) {
        guard plan.isQuickTime else { return }
        let full = written.union(added.map(\.index)).union(replaced.map(\.index)).subtracting(
            pump.texts.filter(\.isEmpty).map(\.stream))
        for (index, place) in places.enumerated() {
            guard let place, !full.contains(place) else { continue }
            dropped.append("stream \(index) (\(info.streams[index].codec)): it has no packets")
        }
        added = added.filter { full.contains($0.index) }.map { track in
            var track = track
            track.index = full.count { $0 < track.index }
            return track
        }
        for index in replaced.indices { replaced[index].index = full.count { $0 < replaced[index].index } }
    }

    func clock(_ ticks: Int64, _ stream: Int) -> Int64? {
        guard ticks != dub_no_pts() else { return nil }
        return av_rescale_q(ticks, source.stream(stream).pointee.time_base, microseconds)
    }

    /// Reads until picture and sounds have each shown a packet: when they start decides how the output starts.
    private mutating func readPrelude() throws -> [Held] {
        var held: [Held] = []
        var bytes = 0
        let awaited = Set([guide, info.pictureStream?.index].compactMap { $0 }).union(levels.keys)
        while held.count < 2000, bytes < 32 << 20, !awaited.isSubset(of: starts.keys) {
            let packet = try Packet()
            guard try source.read(into: packet) else { break }
            let index = Int(packet.raw.pointee.stream_index)
            if let start = clock(packet.raw.pointee.pts, index) {
                starts[index] = min(starts[index] ?? start, start)
            }
            bytes += Int(packet.raw.pointee.size)
            held.append(Held(packet))
        }
        if plan.isMatroska {
            // Blocks cannot lie before zero; FFmpeg's own remedy would move streams by their decoding times, which
            // Matroska does not even store.
            muxer.context.pointee.avoid_negative_ts = 0
            if !sameContainer { shift = -(starts.values.min() ?? source.zero) }
        }
        muxer.context.pointee.max_interleave_delta = 2_000_000
        if plan.muxer == "mpegts" { muxer.context.pointee.max_delay = 700_000 }
        return held
    }
}
