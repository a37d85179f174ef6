// libcurl as Swift sees it: the public header, and inlines for the variadic functions that Swift cannot import.
#ifndef DUBMILL_CCURL_SHIM_H
#define DUBMILL_CCURL_SHIM_H

#include <curl/curl.h>

typedef size_t (*dub_curl_data_callback)(char *bytes, size_t size, size_t count, void *context);
typedef int (*dub_curl_seek_callback)(void *context, curl_off_t offset, int origin);

static inline CURLcode dub_curl_global_init(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }

static inline CURLcode dub_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode dub_curl_set_size(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode dub_curl_set_text(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode dub_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode dub_curl_set_callback(CURL *easy, CURLoption option, dub_curl_data_callback value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode dub_curl_set_seek(CURL *easy, dub_curl_seek_callback value) {
    return curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, value);
}

#endif
