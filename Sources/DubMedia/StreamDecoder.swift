internal import CFFmpeg
internal import DubCore

/// Owns one `AVCodecContext` that decodes.
struct StreamDecoder: ~Copyable {
    let context: UnsafeMutablePointer<AVCodecContext>

    private init(adopting context: UnsafeMutablePointer<AVCodecContext>) {
        self.context = context
    }

    /// - Throws: `media.unsupported` where FFmpeg has no decoder; `media.failed` where it refuses the stream.
    static func open(
        _ stream: UnsafeMutablePointer<AVStream>, at path: String,
        configure: (UnsafeMutablePointer<AVCodecContext>) -> Void = { _ in }
    ) throws -> StreamDecoder {
        let parameters = stream.pointee.codecpar
        let identifier = parameters?.pointee.codec_id ?? AV_CODEC_ID_NONE
        guard let codec = avcodec_find_decoder(identifier) else {
            throw DubError(
                .mediaUnsupported,
                "Stream \(stream.pointee.index) is of a codec (\(String(cString: avcodec_get_name(identifier)))) "
                    + "that FFmpeg \(MediaLibrary.version) cannot decode.",
                at: path, fix: "Convert the stream to a common codec first.")
        }
        guard let made = avcodec_alloc_context3(codec) else { throw DubError.noMemory(path) }
        let decoder = StreamDecoder(adopting: made)
        let filled = avcodec_parameters_to_context(made, parameters)
        guard filled >= 0 else { throw DubError.failed(path, "Reading the stream's parameters", filled) }
        made.pointee.pkt_timebase = stream.pointee.time_base
        made.pointee.thread_count = 1
        configure(made)
        let opened = avcodec_open2(made, codec, nil)
        guard opened >= 0 else { throw DubError.failed(path, "Opening the decoder", opened) }
        return decoder
    }

    deinit {
        var freeing: UnsafeMutablePointer<AVCodecContext>? = context
        avcodec_free_context(&freeing)
    }
}
