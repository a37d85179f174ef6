internal import CFFmpeg
internal import DubCore

extension RemuxSession {
    mutating func addDubs(_ request: RemuxRequest) throws -> DubFeeds {
        var feeds = DubFeeds()
        let dialogue = info.dialogueStream
        for (place, audio) in request.audio.enumerated() {
            let decoder = try AudioDecoder.open(
                audio.path, stream: nil, optionalFormat: nil, cancellation: source.cancellation)
            let codec = audio.codec ?? plan.codec(like: dialogue)
            let encoder = try StreamEncoder.open(
                codec, format: decoder.format, bitRate: audio.bitRate ?? dialogue?.audio?.bitRate,
                globalHeader: muxer.wantsGlobalHeader, at: muxer.path)
            let stream = try muxer.addStream()
            encoder.describe(stream)
            stream.pointee.disposition = dispositionFlags(
                audio.dispositions ?? (place == 0 ? ["default", "dub"] : ["dub"]))
            name(stream, language: audio.language, title: audio.title)
            added.append(
                RemuxReport.Track(
                    index: Int(stream.pointee.index), codec: codec.ffmpegName, language: audio.language,
                    bitRate: codec.isLossless ? nil : encoder.context.pointee.bit_rate))
            feeds.add(
                DubFeed(
                    stream: Int(stream.pointee.index), guide: guide, try LevelledAudio(decoder), encoder,
                    endsWithSound: false, sink: muxer.sink, start: guide.flatMap { starts[$0] } ?? source.zero,
                    zero: source.zero,
                    shift: shift))
        }
        return feeds
    }

    /// Sets up the streams that `mapStreams` made for what is written anew.
    mutating func addReplacements(to feeds: inout DubFeeds) throws {
        for (index, levelling) in levels.sorted(by: { $0.key < $1.key }) {
            guard let place = places[index], let stream = muxer.context.pointee.streams[place] else {
                preconditionFailure("stream \(index) has no place")
            }
            let decoder = try AudioDecoder.open(
                source.path, stream: index, optionalFormat: nil, cancellation: source.cancellation)
            let codec = plan.codec(like: info.streams[index])
            let encoder = try StreamEncoder.open(
                codec, format: decoder.format, bitRate: info.streams[index].audio?.bitRate,
                globalHeader: muxer.wantsGlobalHeader, at: muxer.path)
            encoder.describe(stream)
            replaced.append(
                RemuxReport.Replacement(
                    source: index, index: place, codec: codec.ffmpegName,
                    bitRate: codec.isLossless ? nil : encoder.context.pointee.bit_rate))
            feeds.add(
                DubFeed(
                    stream: place, guide: index, try LevelledAudio(decoder, levelling), encoder,
                    endsWithSound: true, sink: muxer.sink, start: starts[index] ?? source.zero, zero: source.zero,
                    shift: shift))
        }
    }

    mutating func addSubtitles(_ request: RemuxRequest) throws -> [CueFeed] {
        guard let codec = plan.subtitleCodec else {
            for subtitle in request.subtitles {
                dropped.append(
                    "the subtitle track in \(subtitle.language.name): \(plan.muxer) cannot hold text subtitles"
                )
            }
            return []
        }
        let end = info.duration
        return try request.subtitles.map { subtitle in
            let stream = try muxer.addStream()
            try CueFeed.describe(stream, codec: codec)
            stream.pointee.disposition = dispositionFlags(subtitle.dispositions)
            name(stream, language: subtitle.language, title: subtitle.title)
            added.append(
                RemuxReport.Track(
                    index: Int(stream.pointee.index), codec: String(cString: avcodec_get_name(codec)),
                    language: subtitle.language, bitRate: nil))
            return CueFeed(
                stream: Int(stream.pointee.index), codec: codec, cues: subtitle.cues, end: end,
                sink: muxer.sink,
                offset: source.zero + shift)
        }
    }

    private func name(_ stream: UnsafeMutablePointer<AVStream>, language: Language, title: String?) {
        // QuickTime's own table of languages knows French by its terminological code alone.
        let code = plan.muxer == "mov" && language.primary == "fr" ? "fra" : language.container
        av_dict_set(&stream.pointee.metadata, "language", code, 0)
        guard let title else { return }
        av_dict_set(&stream.pointee.metadata, "title", title, 0)
        if plan.isQuickTime { av_dict_set(&stream.pointee.metadata, "handler_name", title, 0) }
    }
}
