internal import CCurl
internal import DubCore
internal import Foundation

/// One exchange under way. Owns one libcurl easy handle, and lives on the loop's thread alone.
final class Transfer {
    let easy: UnsafeMutableRawPointer
    private let sink: any TransferSink
    private let place: String
    private var headers: UnsafeMutablePointer<curl_slist>?
    private var hosts: UnsafeMutablePointer<curl_slist>?
    private let detail = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    private var head = HeadReader()
    private var hasHead = false
    private var refusal: DubError?
    private var upload: FileUpload?

    /// - Throws: `http.failed` where libcurl refuses an option.
    init(_ request: HTTPRequest, into sink: any TransferSink) throws(DubError) {
        guard let easy = curl_easy_init() else {
            throw DubError(
                .httpFailed, "There is no memory for another transfer.", at: request.place,
                fix: "Run fewer transfers at once.", persistence: .transient)
        }
        self.easy = easy
        self.sink = sink
        place = request.place
        detail.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        var code = CURLE_OK
        func check(_ result: CURLcode) { if code == CURLE_OK { code = result } }
        configure(request, check)
        carry(request, check)
        listen(check)
        guard code == CURLE_OK else { throw .http(code, detail: "", at: place) }
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(headers)
        curl_slist_free_all(hosts)
        detail.deallocate()
    }

    private func configure(_ request: HTTPRequest, _ check: (CURLcode) -> Void) {
        check(dub_curl_set_text(easy, CURLOPT_URL, request.url))
        check(dub_curl_set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https"))
        check(dub_curl_set_long(easy, CURLOPT_FOLLOWLOCATION, 0))
        check(dub_curl_set_long(easy, CURLOPT_NOSIGNAL, 1))
        check(dub_curl_set_long(easy, CURLOPT_PATH_AS_IS, 1))
        check(dub_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, detail))
        if let socketPath = request.socketPath {
            check(dub_curl_set_text(easy, CURLOPT_UNIX_SOCKET_PATH, socketPath))
            check(dub_curl_set_text(easy, CURLOPT_PROXY, ""))
        }
        if let authorities = request.authorities {
            check(dub_curl_set_text(easy, CURLOPT_CAINFO, authorities))
        }
        if let addresses = request.addresses, let place = HTTPAddress(request.url), !place.host.hasPrefix("[") {
            // A proxy would look the name up itself.
            check(dub_curl_set_text(easy, CURLOPT_NOPROXY, "*"))
            // Without a “+” before it: it holds for a later attempt on a connection that the server closed, too.
            hosts = curl_slist_append(nil, "\(place.host):\(place.port):\(addresses.joined(separator: ","))")
            check(hosts == nil ? CURLE_OUT_OF_MEMORY : dub_curl_set_pointer(easy, CURLOPT_RESOLVE, hosts))
        }
        let patience = request.patience
        check(dub_curl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, patience.connect.wholeMilliseconds))
        if let idle = patience.idle {
            check(dub_curl_set_long(easy, CURLOPT_LOW_SPEED_LIMIT, 1))
            check(dub_curl_set_long(easy, CURLOPT_LOW_SPEED_TIME, max(1, idle.wholeMilliseconds / 1000)))
        }
        if let total = patience.total {
            check(dub_curl_set_long(easy, CURLOPT_TIMEOUT_MS, total.wholeMilliseconds))
        }
    }

    private func carry(_ request: HTTPRequest, _ check: (CURLcode) -> Void) {
        // libcurl's “Expect: 100-continue” costs a second with servers that do not know it.
        var fields = ["Expect:"]
        switch request.body {
        case .none:
            if request.method == "HEAD" { check(dub_curl_set_long(easy, CURLOPT_NOBODY, 1)) }
            if request.method == "POST" || request.method == "PUT" { fields.append("Content-Length: 0") }
        case .data(let data):
            check(dub_curl_set_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(data.count)))
            data.withUnsafeBytes { bytes in
                // An empty Data may have no address, and libcurl takes NULL for “no body”.
                withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 1) { nothing in
                    let start = bytes.baseAddress ?? UnsafeRawPointer(nothing.baseAddress)
                    check(
                        dub_curl_set_pointer(
                            easy, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: start)))
                }
            }
            if request.headers["Content-Type"] == nil { fields.append("Content-Type:") }
        case .file(let path, let offset, let length):
            upload = FileUpload(path: path, offset: offset, length: length)
            check(dub_curl_set_long(easy, CURLOPT_UPLOAD, 1))
            check(dub_curl_set_long(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512 << 10))
            check(dub_curl_set_size(easy, CURLOPT_INFILESIZE_LARGE, curl_off_t(length)))
            feed(check)
        }
        check(dub_curl_set_text(easy, CURLOPT_CUSTOMREQUEST, request.method))
        // “Name;” is how libcurl is told of a field with an empty value.
        fields += request.headers.fields.map { $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)" }
        for field in fields {
            guard let longer = curl_slist_append(headers, field) else { return check(CURLE_OUT_OF_MEMORY) }
            headers = longer
        }
        check(dub_curl_set_pointer(easy, CURLOPT_HTTPHEADER, headers))
    }

    private func listen(_ check: (CURLcode) -> Void) {
        // Unretained: the loop keeps this object until the handle is out of the multi handle.
        let context = Unmanaged.passUnretained(self).toOpaque()
        check(dub_curl_set_pointer(easy, CURLOPT_HEADERDATA, context))
        check(dub_curl_set_pointer(easy, CURLOPT_WRITEDATA, context))
        check(
            dub_curl_set_callback(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
                guard let bytes, let context else { return 0 }
                let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
                Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().takeHead(line)
                return size * count
            })
        check(
            dub_curl_set_callback(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
                guard let bytes, let context else { return 0 }
                let piece = UnsafeRawBufferPointer(start: bytes, count: size * count)
                return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().takeBody(piece)
            })
    }

    /// Lets libcurl read the file that goes up, and go back in it when it has to send again.
    private func feed(_ check: (CURLcode) -> Void) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        check(dub_curl_set_pointer(easy, CURLOPT_READDATA, context))
        check(dub_curl_set_pointer(easy, CURLOPT_SEEKDATA, context))
        check(
            dub_curl_set_callback(easy, CURLOPT_READFUNCTION) { bytes, size, count, context in
                guard let bytes, let context else { return Int(CURL_READFUNC_ABORT) }
                let room = UnsafeMutableRawBufferPointer(start: bytes, count: size * count)
                return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().give(into: room)
            })
        check(
            dub_curl_set_seek(easy) { context, offset, origin in
                guard let context, origin == SEEK_SET else { return CURL_SEEKFUNC_CANTSEEK }
                Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().upload?.position = Int64(offset)
                return CURL_SEEKFUNC_OK
            })
    }

    private func give(into room: UnsafeMutableRawBufferPointer) -> Int {
        do {
            return try upload?.read(into: room) ?? 0
        } catch {
            refusal = error
            return Int(CURL_READFUNC_ABORT)
        }
    }

    private func takeHead(_ line: UnsafeRawBufferPointer) {
        // What comes after the head is trailers, which nobody asked for.
        guard !hasHead, let complete = head.read(String(decoding: line, as: UTF8.self)) else { return }
        hasHead = true
        sink.receive(complete)
    }

    private func takeBody(_ piece: UnsafeRawBufferPointer) -> Int {
        switch sink.receive(piece) {
        case .taken: return piece.count
        case .pause: return Int(CURL_WRITEFUNC_PAUSE)
        case .refuse(let error):
            refusal = error
            return piece.count == 0 ? 1 : 0
        }
    }

    /// Lets a paused transfer go on.
    func resume() {
        curl_easy_pause(easy, CURLPAUSE_CONT)
    }

    /// Tells the sink how it ended.
    func finish(_ code: CURLcode) {
        if let refusal {
            sink.finish(.failure(refusal))
        } else if code == CURLE_OK {
            sink.finish(.success(()))
        } else {
            sink.finish(.failure(DubError.http(code, detail: String(cString: detail), at: place)))
        }
    }

    /// Tells the sink that it was broken off.
    func finishCancelled() {
        sink.finish(.failure(CancellationError()))
    }
}

extension Duration {
    /// Milliseconds, rounded up, at least 1; more than 24 days count as 24 days.
    fileprivate var wholeMilliseconds: Int {
        let (seconds, attoseconds) = components
        let clamped = min(max(seconds, 0), 2_073_600)
        return max(1, Int(clamped) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000))
    }
}
