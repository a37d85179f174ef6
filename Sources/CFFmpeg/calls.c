// FFmpeg's functions, each found when it is first called.
//
// The libraries bring 160 others with them, which take 60 ms to load: most of what `dubmill status` would take. So the
// program is not linked to them; a function is defined here as a call of the one of that name in its library, which is
// loaded then. Prototypes are those of FFmpeg's headers, or this does not compile; what is missing here does not link.
#include "shim.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
#define avutil "libavutil.so." TEXT(LIBAVUTIL_VERSION_MAJOR)
#define avcodec "libavcodec.so." TEXT(LIBAVCODEC_VERSION_MAJOR)
#define avformat "libavformat.so." TEXT(LIBAVFORMAT_VERSION_MAJOR)
#define avfilter "libavfilter.so." TEXT(LIBAVFILTER_VERSION_MAJOR)
#define swresample "libswresample.so." TEXT(LIBSWRESAMPLE_VERSION_MAJOR)

/// The place of a function. Where there is none, the program cannot do what it was asked to: it says so and ends.
static void *found(const char *library, const char *name)
{
    void *handle = dlopen(library, RTLD_NOW);
    void *function = handle ? dlsym(handle, name) : NULL;
    if (!function) {
        fprintf(stderr, "error: FFmpeg cannot be used: %s. Install %s of the FFmpeg that dubmill was built with.\n",
            dlerror(), library);
        exit(1);
    }
    return function;
}

// Threads that come first together find the same place, and keep it in turn.
#define CALL(library, type, name, parameters, arguments) \
    __attribute__((visibility("hidden"))) type name parameters \
    { \
        static _Atomic(void *) place; \
        void *function = atomic_load_explicit(&place, memory_order_relaxed); \
        if (!function) atomic_store_explicit(&place, function = found(library, #name), memory_order_relaxed); \
        return ((__typeof__(&name))function)arguments; \
    }

CALL(avutil, void *, av_calloc, (size_t nmemb, size_t size), (nmemb, size))
CALL(avutil, int, av_channel_layout_check, (const AVChannelLayout *channel_layout), (channel_layout))
CALL(avutil, int, av_channel_layout_compare, (const AVChannelLayout *chl, const AVChannelLayout *chl1), (chl, chl1))
CALL(avutil, int, av_channel_layout_copy, (AVChannelLayout *dst, const AVChannelLayout *src), (dst, src))
CALL(avutil, void, av_channel_layout_default, (AVChannelLayout *ch_layout, int nb_channels), (ch_layout, nb_channels))
CALL(avutil, int, av_channel_layout_describe, (const AVChannelLayout *channel_layout, char *buf, size_t buf_size),
    (channel_layout, buf, buf_size))
CALL(avutil, int, av_channel_layout_from_string, (AVChannelLayout *channel_layout, const char *str),
    (channel_layout, str))
CALL(avutil, void, av_channel_layout_uninit, (AVChannelLayout *channel_layout), (channel_layout))
CALL(avutil, int, av_dict_copy, (AVDictionary **dst, const AVDictionary *src, int flags), (dst, src, flags))
CALL(avutil, void, av_dict_free, (AVDictionary **m), (m))
CALL(avutil, AVDictionaryEntry *, av_dict_get, (const AVDictionary *m, const char *key, const AVDictionaryEntry *prev,
    int flags), (m, key, prev, flags))
CALL(avutil, int, av_dict_set, (AVDictionary **pm, const char *key, const char *value, int flags), (pm, key, value,
    flags))
CALL(avutil, double, av_display_rotation_get, (const int32_t matrix[9]), (matrix))
CALL(avutil, AVFrame *, av_frame_alloc, (void), ())
CALL(avutil, void, av_frame_free, (AVFrame **frame), (frame))
CALL(avutil, int, av_frame_get_buffer, (AVFrame *frame, int align), (frame, align))
CALL(avutil, int, av_frame_make_writable, (AVFrame *frame), (frame))
CALL(avutil, void, av_frame_unref, (AVFrame *frame), (frame))
CALL(avutil, int, av_get_bytes_per_sample, (enum AVSampleFormat sample_fmt), (sample_fmt))
CALL(avutil, const char *, av_get_pix_fmt_name, (enum AVPixelFormat pix_fmt), (pix_fmt))
CALL(avutil, int, av_log_format_line2, (void *ptr, int level, const char *fmt, va_list vl, char *line,
    int line_size, int *print_prefix), (ptr, level, fmt, vl, line, line_size, print_prefix))
CALL(avutil, void, av_log_set_callback, (void (*callback)(void*, int, const char*, va_list)), (callback))
CALL(avutil, void *, av_mallocz, (size_t size), (size))
CALL(avutil, int64_t, av_rescale_q, (int64_t a, AVRational bq, AVRational cq), (a, bq, cq))
CALL(avutil, int, av_sample_fmt_is_planar, (enum AVSampleFormat sample_fmt), (sample_fmt))
CALL(avutil, int, av_samples_set_silence, (uint8_t **audio_data, int offset, int nb_samples, int nb_channels, enum
    AVSampleFormat sample_fmt), (audio_data, offset, nb_samples, nb_channels, sample_fmt))
CALL(avutil, int, av_strerror, (int errnum, char *errbuf, size_t errbuf_size), (errnum, errbuf, errbuf_size))
CALL(avutil, const char *, av_version_info, (void), ())

CALL(avcodec, int, av_new_packet, (AVPacket *pkt, int size), (pkt, size))
CALL(avcodec, AVPacket *, av_packet_alloc, (void), ())
CALL(avcodec, void, av_packet_free, (AVPacket **pkt), (pkt))
CALL(avcodec, void, av_packet_rescale_ts, (AVPacket *pkt, AVRational tb_src, AVRational tb_dst), (pkt, tb_src,
    tb_dst))
CALL(avcodec, void, av_packet_unref, (AVPacket *pkt), (pkt))
CALL(avcodec, AVCodecContext *, avcodec_alloc_context3, (const AVCodec *codec), (codec))
CALL(avcodec, const AVCodec *, avcodec_find_decoder, (enum AVCodecID id), (id))
CALL(avcodec, const AVCodec *, avcodec_find_encoder_by_name, (const char *name), (name))
CALL(avcodec, void, avcodec_free_context, (AVCodecContext **avctx), (avctx))
CALL(avcodec, const char *, avcodec_get_name, (enum AVCodecID id), (id))
CALL(avcodec, int, avcodec_open2, (AVCodecContext *avctx, const AVCodec *codec, AVDictionary **options), (avctx,
    codec, options))
CALL(avcodec, int, avcodec_parameters_copy, (AVCodecParameters *dst, const AVCodecParameters *src), (dst, src))
CALL(avcodec, int, avcodec_parameters_from_context, (AVCodecParameters *par, const AVCodecContext *codec), (par,
    codec))
CALL(avcodec, int, avcodec_parameters_to_context, (AVCodecContext *codec, const AVCodecParameters *par), (codec, par))
CALL(avcodec, const char *, avcodec_profile_name, (enum AVCodecID codec_id, int profile), (codec_id, profile))
CALL(avcodec, int, avcodec_receive_frame, (AVCodecContext *avctx, AVFrame *frame), (avctx, frame))
CALL(avcodec, int, avcodec_receive_packet, (AVCodecContext *avctx, AVPacket *avpkt), (avctx, avpkt))
CALL(avcodec, int, avcodec_send_frame, (AVCodecContext *avctx, const AVFrame *frame), (avctx, frame))
CALL(avcodec, int, avcodec_send_packet, (AVCodecContext *avctx, const AVPacket *avpkt), (avctx, avpkt))

CALL(avformat, enum AVCodecID, av_codec_get_id, (const struct AVCodecTag * const *tags, unsigned int tag), (tags,
    tag))
CALL(avformat, int, av_codec_get_tag2, (const struct AVCodecTag * const *tags, enum AVCodecID id,
    unsigned int *tag), (tags, id, tag))
CALL(avformat, int, av_disposition_from_string, (const char *disp), (disp))
CALL(avformat, const char *, av_disposition_to_string, (int disposition), (disposition))
CALL(avformat, int, av_interleaved_write_frame, (AVFormatContext *s, AVPacket *pkt), (s, pkt))
CALL(avformat, int, av_read_frame, (AVFormatContext *s, AVPacket *pkt), (s, pkt))
CALL(avformat, uint8_t *, av_stream_get_side_data, (const AVStream *stream, enum AVPacketSideDataType type, size_t
    *size), (stream, type, size))
CALL(avformat, uint8_t *, av_stream_new_side_data, (AVStream *stream, enum AVPacketSideDataType type, size_t size),
    (stream, type, size))
CALL(avformat, int, av_write_trailer, (AVFormatContext *s), (s))
CALL(avformat, AVFormatContext *, avformat_alloc_context, (void), ())
CALL(avformat, int, avformat_alloc_output_context2, (AVFormatContext **ctx, const AVOutputFormat *oformat,
    const char *format_name, const char *filename), (ctx, oformat, format_name, filename))
CALL(avformat, void, avformat_close_input, (AVFormatContext **s), (s))
CALL(avformat, int, avformat_find_stream_info, (AVFormatContext *ic, AVDictionary **options), (ic, options))
CALL(avformat, void, avformat_free_context, (AVFormatContext *s), (s))
CALL(avformat, AVStream *, avformat_new_stream, (AVFormatContext *s, const AVCodec *c), (s, c))
CALL(avformat, int, avformat_open_input, (AVFormatContext **ps, const char *url, const AVInputFormat *fmt,
    AVDictionary **options), (ps, url, fmt, options))
CALL(avformat, int, avformat_query_codec, (const AVOutputFormat *ofmt, enum AVCodecID codec_id, int std_compliance),
    (ofmt, codec_id, std_compliance))
CALL(avformat, int, avformat_write_header, (AVFormatContext *s, AVDictionary **options), (s, options))
CALL(avformat, int, avio_closep, (AVIOContext **s), (s))
CALL(avformat, int, avio_feof, (AVIOContext *s), (s))
CALL(avformat, void, avio_flush, (AVIOContext *s), (s))
CALL(avformat, int, avio_open2, (AVIOContext **s, const char *url, int flags, const AVIOInterruptCB *int_cb,
    AVDictionary **options), (s, url, flags, int_cb, options))
CALL(avformat, int64_t, avio_seek, (AVIOContext *s, int64_t offset, int whence), (s, offset, whence))
CALL(avformat, int64_t, avio_size, (AVIOContext *s), (s))

CALL(avfilter, int, av_buffersink_get_frame, (AVFilterContext *ctx, AVFrame *frame), (ctx, frame))
CALL(avfilter, int, av_buffersrc_add_frame_flags, (AVFilterContext *buffer_src, AVFrame *frame, int flags),
    (buffer_src, frame, flags))
CALL(avfilter, AVFilterGraph *, avfilter_graph_alloc, (void), ())
CALL(avfilter, int, avfilter_graph_config, (AVFilterGraph *graphctx, void *log_ctx), (graphctx, log_ctx))
CALL(avfilter, void, avfilter_graph_free, (AVFilterGraph **graph), (graph))
CALL(avfilter, AVFilterContext *, avfilter_graph_get_filter, (AVFilterGraph *graph, const char *name), (graph, name))
CALL(avfilter, int, avfilter_graph_parse2, (AVFilterGraph *graph, const char *filters, AVFilterInOut **inputs,
    AVFilterInOut **outputs), (graph, filters, inputs, outputs))
CALL(avfilter, void, avfilter_inout_free, (AVFilterInOut **inout), (inout))

CALL(swresample, int, swr_alloc_set_opts2, (struct SwrContext **ps, AVChannelLayout *out_ch_layout, enum
    AVSampleFormat out_sample_fmt, int out_sample_rate, AVChannelLayout *in_ch_layout, enum AVSampleFormat
    in_sample_fmt, int in_sample_rate, int log_offset, void *log_ctx), (ps, out_ch_layout, out_sample_fmt,
    out_sample_rate, in_ch_layout, in_sample_fmt, in_sample_rate, log_offset, log_ctx))
CALL(swresample, int, swr_convert, (struct SwrContext *s, uint8_t **out, int out_count, const uint8_t **in, int
    in_count), (s, out, out_count, in, in_count))
CALL(swresample, void, swr_free, (struct SwrContext **s), (s))
CALL(swresample, int, swr_get_out_samples, (struct SwrContext *s, int in_samples), (s, in_samples))
CALL(swresample, int, swr_init, (struct SwrContext *s), (s))
