internal import CFFmpeg
internal import DubCore

/// How one stream of the source goes into the output.
enum StreamCopy {
    /// As a stream of the same kind.
    case track
    /// A cover, which Matroska keeps as an attached file.
    case attachedFile
    /// Not at all; with the reason, or `nil` where the muxer writes it anew (chapters).
    case none(String?)

    /// - Throws: `media.unsupported` for a picture or a sound that no container here can hold.
    static func decide(
        _ stream: UnsafeMutablePointer<AVStream>, plan: ContainerPlan, muxer: UnsafePointer<AVOutputFormat>,
        hasChapters: Bool, path: String
    ) throws -> StreamCopy {
        let parameters = stream.pointee.codecpar.pointee
        let name = String(cString: avcodec_get_name(parameters.codec_id))
        let what = "stream \(stream.pointee.index) (\(name))"
        let known =
            parameters.codec_id != AV_CODEC_ID_NONE
            && avformat_query_codec(muxer, parameters.codec_id, -2) != 0
        switch parameters.codec_type {
        case AVMEDIA_TYPE_VIDEO, AVMEDIA_TYPE_AUDIO:
            let cover = stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC != 0
            if cover, plan.muxer == "matroska" { return .attachedFile }
            if cover, !known { return .none("\(what), a cover: \(plan.muxer) cannot hold it") }
            guard known else {
                throw DubError(
                    .mediaUnsupported,
                    "FFmpeg \(MediaLibrary.version) cannot write \(what) to a \(plan.muxer) file.", at: path,
                    fix: "Convert the stream to a common codec first.")
            }
            return .track
        case AVMEDIA_TYPE_SUBTITLE:
            return known ? .track : .none("\(what), subtitles: \(plan.muxer) cannot hold them")
        case AVMEDIA_TYPE_ATTACHMENT:
            return plan.muxer == "matroska" ? .track : .none("\(what), an attachment: \(plan.muxer) has none")
        default:
            return data(stream, parameters, plan: plan, muxer: muxer, hasChapters: hasChapters, what: what)
        }
    }

    private static func data(
        _ stream: UnsafeMutablePointer<AVStream>, _ parameters: AVCodecParameters, plan: ContainerPlan,
        muxer: UnsafePointer<AVOutputFormat>, hasChapters: Bool, what: String
    ) -> StreamCopy {
        let tag = parameters.codec_tag
        if plan.isQuickTime {
            // FFmpeg's demuxer turns the text track of the chapters away itself; its muxer writes them anew.
            if hasChapters, parameters.codec_id == AV_CODEC_ID_BIN_DATA,
                stream.pointee.discard == AVDISCARD_ALL
            {
                return .none(nil)
            }
            if tag == fourCC("tmcd") { return .track }
            if parameters.codec_id != AV_CODEC_ID_NONE, let table = muxer.pointee.codec_tag,
                av_codec_get_id(table, tag) == parameters.codec_id
            {
                return .track
            }
        }
        if plan.muxer == "mpegts",
            [AV_CODEC_ID_SMPTE_KLV, AV_CODEC_ID_TIMED_ID3, AV_CODEC_ID_SCTE_35].contains(parameters.codec_id)
        {
            return .track
        }
        if tag == fourCC("tmcd") { return .none(nil) }
        return .none("\(what), data: FFmpeg cannot write it to a \(plan.muxer) file")
    }

    static func fourCC(_ text: StaticString) -> UInt32 {
        text.withUTF8Buffer { bytes in
            bytes.enumerated().reduce(0) { $0 | UInt32($1.element) << (8 * UInt32($1.offset)) }
        }
    }
}

extension Muxer {
    /// Adds a stream that is a copy of `source`: parameters, tags, side data, dispositions.
    ///
    /// - Parameter sameContainer: whether the source's container is of this kind, so that its own tags make sense.
    func addCopy(
        of source: UnsafeMutablePointer<AVStream>, sameContainer: Bool
    ) throws -> UnsafeMutablePointer<AVStream> {
        let stream = try addStream()
        let status = avcodec_parameters_copy(stream.pointee.codecpar, source.pointee.codecpar)
        guard status >= 0 else { throw DubError.noMemory(path) }
        let parameters = source.pointee.codecpar.pointee
        stream.pointee.codecpar.pointee.codec_tag = dub_copied_tag(
            context.pointee.oformat, parameters.codec_id, parameters.codec_tag)
        stream.pointee.time_base = source.pointee.time_base
        stream.pointee.avg_frame_rate = source.pointee.avg_frame_rate
        stream.pointee.r_frame_rate = source.pointee.r_frame_rate
        stream.pointee.sample_aspect_ratio = source.pointee.sample_aspect_ratio
        stream.pointee.disposition = source.pointee.disposition
        stream.pointee.id = format == "mpegts" ? source.pointee.id : 0
        av_dict_copy(&stream.pointee.metadata, source.pointee.metadata, 0)
        for index in 0..<Int(source.pointee.nb_side_data) {
            let side = source.pointee.side_data[index]
            guard let data = side.data, let copy = av_stream_new_side_data(stream, side.type, side.size)
            else { continue }
            copy.update(from: data, count: side.size)
        }
        // Muxers write their own; a copy of the source's would be wrong after a change.
        for key in sameContainer ? ["DURATION"] : ["DURATION", "vendor_id", "handler_name"] {
            av_dict_set(&stream.pointee.metadata, key, nil, 0)
        }
        return stream
    }

    /// Adds a stream for what stands in the place of `source`: its tags and dispositions, but nothing of its codec.
    ///
    /// Tags that tell how loud it was, or how many bytes it had, would not be true of another.
    func addReplacement(
        of source: UnsafeMutablePointer<AVStream>, sameContainer: Bool
    ) throws -> UnsafeMutablePointer<AVStream> {
        let stream = try addStream()
        stream.pointee.disposition = source.pointee.disposition
        stream.pointee.id = format == "mpegts" ? source.pointee.id : 0
        for (key, value) in entries(source.pointee.metadata) {
            let name = key.uppercased()
            let isStale =
                ["DURATION", "ENCODER", "BPS", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES"].contains {
                    name == $0 || name.hasPrefix($0 + "-")
                } || ["REPLAYGAIN_", "R128_", "_STATISTICS"].contains { name.hasPrefix($0) }
                || !sameContainer && ["VENDOR_ID", "HANDLER_NAME"].contains(name)
            if !isStale { av_dict_set(&stream.pointee.metadata, key, value, 0) }
        }
        return stream
    }

    /// Adds a cover as an attached file.
    func addAttachedFile(
        of source: UnsafeMutablePointer<AVStream>
    ) throws {
        let picture = source.pointee.attached_pic
        guard let data = picture.data, picture.size > 0 else { return }
        let stream = try addStream()
        let parameters = source.pointee.codecpar.pointee
        let size = Int(picture.size)
        guard let copy = av_mallocz(size + Int(AV_INPUT_BUFFER_PADDING_SIZE)) else {
            throw DubError.noMemory(path)
        }
        copy.copyMemory(from: data, byteCount: size)
        stream.pointee.codecpar.pointee.codec_type = AVMEDIA_TYPE_ATTACHMENT
        stream.pointee.codecpar.pointee.codec_id = parameters.codec_id
        stream.pointee.codecpar.pointee.extradata = copy.assumingMemoryBound(to: UInt8.self)
        stream.pointee.codecpar.pointee.extradata_size = picture.size
        av_dict_copy(&stream.pointee.metadata, source.pointee.metadata, 0)
        let kind = parameters.codec_id == AV_CODEC_ID_PNG ? "png" : "jpeg"
        let tags = entries(stream.pointee.metadata)
        if tags["mimetype"] == nil { av_dict_set(&stream.pointee.metadata, "mimetype", "image/\(kind)", 0) }
        if tags["filename"] == nil {
            av_dict_set(&stream.pointee.metadata, "filename", "cover.\(kind == "png" ? "png" : "jpg")", 0)
        }
    }

    /// Copies the file's own tags and its chapters; `shift` moves the chapters, in microseconds.
    func copyHead(of source: UnsafeMutablePointer<AVFormatContext>, sameContainer: Bool, shift: Int64) throws {
        av_dict_copy(&context.pointee.metadata, source.pointee.metadata, 0)
        if !sameContainer {
            for key in ["major_brand", "minor_version", "compatible_brands", "encoder"] {
                av_dict_set(&context.pointee.metadata, key, nil, 0)
            }
        }
        let count = Int(source.pointee.nb_chapters)
        guard count > 0, let table = av_calloc(count, MemoryLayout<UnsafeMutablePointer<AVChapter>?>.size)
        else { return }
        let chapters = table.assumingMemoryBound(to: UnsafeMutablePointer<AVChapter>?.self)
        context.pointee.chapters = chapters
        for index in 0..<count {
            guard let original = source.pointee.chapters[index],
                let room = av_mallocz(MemoryLayout<AVChapter>.size)
            else { throw DubError.noMemory(path) }
            let chapter = room.assumingMemoryBound(to: AVChapter.self)
            let moved = av_rescale_q(shift, microseconds, original.pointee.time_base)
            chapter.pointee.id = original.pointee.id
            chapter.pointee.time_base = original.pointee.time_base
            chapter.pointee.start = original.pointee.start + moved
            chapter.pointee.end = original.pointee.end + moved
            av_dict_copy(&chapter.pointee.metadata, original.pointee.metadata, 0)
            chapters[index] = chapter
            context.pointee.nb_chapters = UInt32(index + 1)
        }
    }
}
