internal import CFFmpeg
internal import DubCore

#if canImport(Glibc)
    internal import Glibc
#endif

/// An output file under a temporary name in the folder of its final one. Owns one `AVFormatContext`.
///
/// Until `commit` nothing is seen under the final name; a muxer that goes away without it leaves nothing behind.
struct Muxer: ~Copyable {
    let context: UnsafeMutablePointer<AVFormatContext>
    let path: String
    private let temporary: String
    private let cancellation: Cancellation
    private var headerWritten = false
    private var committed = false
    /// The file once more, for `startWriteback`; negative while that is not needed.
    private var handle: Int32 = -1
    private var asked: Int64 = 0

    private init(
        adopting context: UnsafeMutablePointer<AVFormatContext>, _ path: String, _ temporary: String,
        _ flag: Cancellation
    ) {
        self.context = context
        self.path = path
        self.temporary = temporary
        cancellation = flag
    }

    /// Opens a file for writing.
    ///
    /// - Parameter format: FFmpeg's name of the muxer; `nil` goes by the path's extension.
    /// - Throws: `output.unwritable`; `media.unsupported` for an extension that names no container.
    static func create(_ path: String, format: String?, cancellation: Cancellation) throws -> Muxer {
        MediaLog.begin()
        guard !path.isEmpty, !path.utf8.contains(0), !path.hasSuffix("/") else {
            throw DubError.unwritable(path, errno: EISDIR)
        }
        var facts = stat()
        if stat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR {
            throw DubError.unwritable(path, errno: EISDIR)
        }
        var made: UnsafeMutablePointer<AVFormatContext>?
        let status = avformat_alloc_output_context2(&made, nil, format, "file:" + path)
        guard status >= 0, let made else {
            throw DubError(
                .mediaUnsupported, "No container is known by this name: \(reason(status)).", at: path,
                fix: "Use .mp4, .mov, .mkv, .webm, .wav, .flac, .m4a, .mka or .ogg.")
        }
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "./"
        let temporary =
            folder + ".dubmill-\(getpid())-" + String(UInt64.random(in: 0 ... .max), radix: 36) + ".part"
        let muxer = Muxer(adopting: made, path, temporary, cancellation)
        muxer.context.pointee.interrupt_callback = cancellation.interruption
        var interruption = cancellation.interruption
        let opened = avio_open2(
            &muxer.context.pointee.pb, "file:" + temporary, AVIO_FLAG_WRITE, &interruption, nil)
        guard opened >= 0 else { throw DubError.writing(path, opened) }
        return muxer
    }

    /// FFmpeg's short name of the container.
    var format: String { String(cString: context.pointee.oformat.pointee.name) }

    /// Whether the container wants codec headers outside the packets.
    var wantsGlobalHeader: Bool { context.pointee.oformat.pointee.flags & AVFMT_GLOBALHEADER != 0 }

    /// A new stream, after those there are.
    func addStream() throws -> UnsafeMutablePointer<AVStream> {
        guard let stream = avformat_new_stream(context, nil) else { throw DubError.noMemory(path) }
        return stream
    }

    /// Writes the header; the streams' time bases may change here.
    mutating func writeHeader(_ options: [String: String] = [:]) throws {
        MediaLog.begin()
        var dictionary: OpaquePointer?
        defer { av_dict_free(&dictionary) }
        for (key, value) in options { av_dict_set(&dictionary, key, value, 0) }
        try check(avformat_write_header(context, &dictionary))
        headerWritten = true
    }

    /// What packets are written through while other fields of the owner are in use.
    var sink: Sink { Sink(context: context, path: path, cancellation: cancellation) }

    /// A muxer's entrance for packets; no longer valid than the muxer itself.
    struct Sink {
        let context: UnsafeMutablePointer<AVFormatContext>
        let path: String
        let cancellation: Cancellation

        /// Whether the container is Matroska or WebM.
        var isMatroska: Bool {
            ["matroska", "webm"].contains(String(cString: context.pointee.oformat.pointee.name))
        }

        /// Hands over a packet, payload and all, in the time base of its stream here.
        func write(_ packet: UnsafeMutablePointer<AVPacket>) throws {
            try check(av_interleaved_write_frame(context, packet))
        }

        /// As above, for a packet that an encoder with this time base made for stream `index`.
        func write(_ packet: borrowing Packet, from timebase: AVRational, to index: Int) throws {
            guard let stream = context.pointee.streams[index] else {
                preconditionFailure("no stream \(index)")
            }
            av_packet_rescale_ts(packet.raw, timebase, stream.pointee.time_base)
            packet.raw.pointee.stream_index = Int32(index)
            try write(packet.raw)
        }

        func check(_ status: Int32) throws {
            guard status < 0 else { return }
            try cancellation.check()
            throw DubError.writing(path, status)
        }
    }

    private func check(_ status: Int32) throws { try sink.check(status) }

    /// Ends the file, waits until the disk has it, and gives it its name.
    ///
    /// - Throws: `output.unwritable`, `media.failed`; then nothing is left.
    consuming func commit() throws {
        try finish()
        guard rename(temporary, path) == 0 else { throw DubError.unwritable(path, errno: errno) }
        committed = true
        // The name itself must survive a power cut too; a folder that cannot be opened for that is no failure.
        let folder = temporary.lastIndex(of: "/").map { String(temporary[...$0]) } ?? "."
        let handle = open(folder, O_RDONLY | O_DIRECTORY)
        if handle >= 0 {
            fsync(handle)
            close(handle)
        }
    }

    /// Ends the file under its temporary name, and waits until the disk has it.
    mutating func finish() throws {
        guard context.pointee.pb != nil else { return }
        MediaLog.begin()
        if headerWritten { try check(av_write_trailer(context)) }
        avio_flush(context.pointee.pb)
        try check(context.pointee.pb.pointee.error)
        try check(avio_closep(&context.pointee.pb))
        let handle = open(temporary, O_RDONLY)
        guard handle >= 0 else { throw DubError.unwritable(path, errno: errno) }
        defer { close(handle) }
        guard fsync(handle) == 0 else { throw DubError.unwritable(path, errno: errno) }
    }

    /// Asks the disk to begin with what has been written, so that the wait at the end is short: a remux is bound by
    /// its encoder, and the disk would sit idle until `commit`.
    mutating func startWriteback() {
        let written = avio_tell(context.pointee.pb)
        guard written - asked >= 32 << 20 else { return }
        if handle < 0 { handle = open(temporary, O_RDONLY | O_CLOEXEC) }
        guard handle >= 0 else { return }
        dub_start_writeback(handle, asked, written - asked)
        asked = written
    }

    /// Where the bytes are until `commit`.
    var temporaryPath: String { temporary }

    deinit {
        if context.pointee.pb != nil { avio_closep(&context.pointee.pb) }
        avformat_free_context(context)
        if handle >= 0 { close(handle) }
        if !committed { unlink(temporary) }
    }
}
