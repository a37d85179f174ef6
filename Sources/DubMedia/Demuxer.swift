internal import CFFmpeg
internal import DubCore

#if canImport(Glibc)
    internal import Glibc
#endif

/// An open input file. Owns one `AVFormatContext` and closes it exactly once.
///
/// Not `Sendable`: a libavformat context belongs to one thread at a time.
struct Demuxer: ~Copyable {
    let context: UnsafeMutablePointer<AVFormatContext>
    let path: String
    /// Held because FFmpeg polls it through a bare pointer.
    let cancellation: Cancellation

    private init(
        adopting context: UnsafeMutablePointer<AVFormatContext>, _ path: String, _ flag: Cancellation
    ) {
        self.context = context
        self.path = path
        cancellation = flag
    }

    /// Containers that hold media themselves. Playlists and scripts (hls, concat, dash, image2) are left out: they
    /// would open other files that their text names.
    private static let containers = """
        aac,ac3,adts,aiff,amr,amrnb,amrwb,ape,asf,ass,au,av1,avi,caf,dnxhd,dts,dtshd,dv,eac3,f4v,flac,flv,gxf,h261,\
        h263,h264,hevc,ivf,latm,live_flv,loas,m4v,matroska,mjpeg,mlp,mov,mp3,mpc,mpc8,mpeg,mpegts,mpegvideo,mxf,nut,\
        obu,ogg,qcp,rm,sbc,spdif,spx,srt,sox,swf,truehd,tta,vc1,voc,vvc,w64,wav,wsd,wtv,wv,webvtt,oma,nsv,nuv,xwma,\
        alaw,mulaw
        """

    /// Opens a regular local file and reads its header and first packets.
    ///
    /// - Throws: `input.missing` for no file, a directory, no permission or no bytes; `media.unreadable`;
    ///   `CancellationError`.
    static func open(_ path: String, cancellation: Cancellation) throws -> Demuxer {
        MediaLog.begin()
        try checkFile(path)
        var opened = avformat_alloc_context()
        guard let context = opened else { throw DubError.noMemory(path) }
        context.pointee.interrupt_callback = cancellation.interruption
        context.pointee.max_streams = 1000
        var options: OpaquePointer?
        defer { av_dict_free(&options) }
        // Whatever a hostile file names, nothing but local files is ever opened.
        av_dict_set(&options, "protocol_whitelist", "file", 0)
        av_dict_set(&options, "format_whitelist", containers, 0)
        let status = avformat_open_input(&opened, "file:" + path, nil, &options)
        guard status >= 0, let opened else {
            try cancellation.check()
            throw DubError.unreadable(path, status)
        }
        // Adopt before probing: from here every exit, thrown or not, runs deinit.
        let demuxer = Demuxer(adopting: opened, path, cancellation)
        let probed = avformat_find_stream_info(demuxer.context, nil)
        try cancellation.check()
        guard probed >= 0 else { throw DubError.unreadable(path, probed) }
        return demuxer
    }

    private static func checkFile(_ path: String) throws {
        var facts = stat()
        guard !path.isEmpty, !path.utf8.contains(0), stat(path, &facts) == 0 else {
            throw DubError.missing(path, "There is no such file.", fix: "Check the path.")
        }
        switch facts.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR:
            throw DubError.missing(path, "This is a directory, not a media file.", fix: "Name a file in it.")
        default:
            throw DubError.missing(
                path, "This is not a regular file.", fix: "Copy the media into a file first.")
        }
        guard access(path, R_OK) == 0 else {
            throw DubError.missing(
                path, "You may not read this file.", fix: "Change its permissions, or its owner.")
        }
        guard facts.st_size > 0 else {
            throw DubError.missing(
                path, "The file is empty.", fix: "Copy or export it again from its source.")
        }
    }

    var streamCount: Int { Int(context.pointee.nb_streams) }

    /// The stream at `index`, which must be in range.
    func stream(_ index: Int) -> UnsafeMutablePointer<AVStream> {
        guard index >= 0, index < streamCount, let stream = context.pointee.streams[index] else {
            preconditionFailure("stream \(index) of \(streamCount)")
        }
        return stream
    }

    var streams: [UnsafeMutablePointer<AVStream>] { (0..<streamCount).map { stream($0) } }

    /// Zero of the item's timeline on the container's clock, in microseconds.
    var zero: Int64 {
        let start = context.pointee.start_time
        return start == dub_no_pts() ? 0 : start
    }

    /// FFmpeg's short names of the container.
    var container: String { String(cString: context.pointee.iformat.pointee.name) }

    /// Reads packets of these streams alone.
    func keepOnly(_ wanted: Set<Int>) {
        for index in 0..<streamCount where !wanted.contains(index) {
            stream(index).pointee.discard = AVDISCARD_ALL
        }
    }

    /// Reads the next packet into `packet`, which must be blank.
    ///
    /// - Returns: `false` at the end of the file.
    /// - Throws: `media.unreadable` where the demuxer gives up; `CancellationError`.
    func read(into packet: borrowing Packet) throws -> Bool {
        let status = av_read_frame(context, packet.raw)
        if status >= 0 { return true }
        try cancellation.check()
        if status == dub_error_eof() { return false }
        // A demuxer that stumbles at the very end of a cut file says so by an error instead of EOF.
        if let pb = context.pointee.pb, avio_feof(pb) != 0 { return false }
        throw DubError.unreadable(path, status)
    }

    deinit {
        var closing: UnsafeMutablePointer<AVFormatContext>? = context
        avformat_close_input(&closing)
    }
}

/// Owns one `AVPacket`.
struct Packet: ~Copyable {
    let raw: UnsafeMutablePointer<AVPacket>

    init() throws {
        guard let raw = av_packet_alloc() else { throw DubError.noMemory("packet") }
        self.raw = raw
    }

    /// Drops the payload.
    func clear() { av_packet_unref(raw) }

    deinit {
        var freeing: UnsafeMutablePointer<AVPacket>? = raw
        av_packet_free(&freeing)
    }
}

/// Owns one `AVFrame`.
struct Frame: ~Copyable {
    let raw: UnsafeMutablePointer<AVFrame>

    init() throws {
        guard let raw = av_frame_alloc() else { throw DubError.noMemory("frame") }
        self.raw = raw
    }

    /// Drops the samples.
    func clear() { av_frame_unref(raw) }

    deinit {
        var freeing: UnsafeMutablePointer<AVFrame>? = raw
        av_frame_free(&freeing)
    }
}
