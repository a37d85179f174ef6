// FFmpeg as Swift sees it: the public headers, and inlines for the macros and variadics that Swift cannot import.
#ifndef DUBMILL_CFFMPEG_SHIM_H
#define DUBMILL_CFFMPEG_SHIM_H

#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>

#endif
