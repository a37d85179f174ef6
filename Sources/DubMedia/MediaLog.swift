internal import CFFmpeg
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// FFmpeg's log, kept from stderr: what the calls of one thread complained about since `begin`.
///
/// FFmpeg logs on the thread that calls it (its own frame threads are not used here), so each thread has a log.
final class MediaLog {
    /// One line, without its trailing newline, and its level (`AV_LOG_ERROR`, `AV_LOG_WARNING`, …).
    struct Entry {
        var level: Int32
        var text: String
    }

    private(set) var entries: [Entry] = []
    /// Lines beyond `limit` are counted, not kept.
    private(set) var overflow = 0
    private static let limit = 64

    private func note(_ entry: Entry) {
        if entries.count < Self.limit {
            entries.append(entry)
        } else {
            overflow += 1
            entries[Self.limit - 1] = entry
        }
    }

    /// The last error of this thread since `begin`; else its last warning; else `nil`.
    static var lastLine: String? {
        let entries = current.entries
        return (entries.last { $0.level <= AV_LOG_ERROR } ?? entries.last)?.text
    }

    /// Takes what this thread has logged since `begin`.
    static func take() -> [Entry] {
        let log = current
        defer { begin() }
        return log.entries
    }

    /// Forgets what this thread has logged so far; routes FFmpeg's log here on first use.
    static func begin() {
        _ = installed
        let log = current
        log.entries.removeAll(keepingCapacity: true)
        log.overflow = 0
    }

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        pthread_key_create(&key) { stored in
            if let stored { Unmanaged<MediaLog>.fromOpaque(stored).release() }
        }
        return key
    }()

    private static var current: MediaLog {
        if let stored = pthread_getspecific(key) {
            return Unmanaged<MediaLog>.fromOpaque(stored).takeUnretainedValue()
        }
        let log = MediaLog()
        pthread_setspecific(key, Unmanaged.passRetained(log).toOpaque())
        return log
    }

    private static let installed: Void = av_log_set_callback { context, level, format, arguments in
        guard level <= AV_LOG_WARNING, let format, let arguments else { return }
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { line in
            guard let base = line.baseAddress else { return }
            dub_log_line(context, level, format, arguments, base, Int32(line.count))
            var text = String(cString: base)
            while text.last?.isWhitespace == true { text.removeLast() }
            // "[aac @ 0x55d0c3e0]": where in memory is nobody's business, and differs from run to run.
            text = text.replacing(#/ @ 0x[0-9a-f]+/#, with: "")
            if !text.isEmpty { MediaLog.current.note(Entry(level: level, text: text)) }
        }
    }
}
