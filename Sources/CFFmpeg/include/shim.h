// FFmpeg as Swift sees it: the public headers, and inlines for the macros and variadics that Swift cannot import.
#ifndef DUBMILL_CFFMPEG_SHIM_H
#define DUBMILL_CFFMPEG_SHIM_H

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/channel_layout.h>
#include <libavutil/dict.h>
#include <libavutil/display.h>
#include <libavutil/log.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libavutil/samplefmt.h>
#include <libswresample/swresample.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int dub_error_eof(void) { return AVERROR_EOF; }
static inline int dub_error_again(void) { return AVERROR(EAGAIN); }
static inline int dub_error_exit(void) { return AVERROR_EXIT; }
static inline int dub_error_invalid_data(void) { return AVERROR_INVALIDDATA; }
static inline int dub_error_errno(int code) { return AVERROR(code); }
static inline int64_t dub_no_pts(void) { return AV_NOPTS_VALUE; }

/// One line of log as FFmpeg's own callback would print it, without colours and with its context's name.
static inline int dub_log_line(void *context, int level, const char *format, va_list arguments, char *line, int size)
{
    int prefix = 1;
    return av_log_format_line2(context, level, format, arguments, line, size, &prefix);
}

/// The muxer's own tag for a codec; 0 where the container has none.
static inline unsigned dub_muxer_tag(const AVOutputFormat *format, enum AVCodecID codec)
{
    return format->codec_tag ? av_codec_get_tag(format->codec_tag, codec) : 0;
}

/// The tag that a copied stream keeps in another file: its own where the muxer knows it for this codec, else 0.
static inline unsigned dub_copied_tag(const AVOutputFormat *format, enum AVCodecID codec, unsigned tag)
{
    unsigned other = 0;
    if (!format->codec_tag || av_codec_get_id(format->codec_tag, tag) == codec
        || !av_codec_get_tag2(format->codec_tag, codec, &other))
        return tag;
    return 0;
}

/// Asks the disk to begin with a part of a file. A hint: where the kernel has no such call, nothing happens.
static inline void dub_start_writeback(int file, int64_t offset, int64_t length)
{
#if defined(SYS_sync_file_range) && defined(__LP64__)
    const unsigned write_only = 2; // SYNC_FILE_RANGE_WRITE of linux/fs.h
    syscall(SYS_sync_file_range, file, offset, length, write_only);
#endif
}

#endif
