internal import DubCore
internal import Dispatch
internal import Glibc

/// Tells that something happened in folders, by inotify(7).
///
/// A hint and no more: events are lost where too many come, and come not at all from network mounts, so that who
/// listens looks at the folder itself, and does so every now and then without a hint.
public final class FolderEvents: Sendable {
    /// An element for one or more happenings since the last.
    public let hints: AsyncStream<Void>
    private let descriptor: Int32
    // Only touched in init and deinit: dispatch sources are thread-safe, and do not say so.
    nonisolated(unsafe) private let source: any DispatchSourceRead

    /// Listens to nothing yet.
    ///
    /// - Returns: `nil` where the system has no more instances (`fs.inotify.max_user_instances`).
    public init?() {
        let descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard descriptor >= 0 else { return nil }
        self.descriptor = descriptor
        let (hints, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.hints = hints
        source = DispatchSource.makeReadSource(
            fileDescriptor: descriptor, queue: DispatchQueue(label: "dubmill.folders"))
        source.setEventHandler {
            var bytes = [UInt8](repeating: 0, count: 65_536)
            while read(descriptor, &bytes, bytes.count) > 0 {}
            continuation.yield()
        }
        source.setCancelHandler {
            close(descriptor)
            continuation.finish()
        }
        source.resume()
    }

    deinit { source.cancel() }

    /// Listens to a folder too; again is no harm.
    ///
    /// - Returns: whether it could be: there may be no more watches (`fs.inotify.max_user_watches`).
    @discardableResult
    public func listen(to folder: String) -> Bool {
        let events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ATTRIB | IN_ONLYDIR
        return inotify_add_watch(descriptor, folder, UInt32(events)) >= 0
    }
}
