internal import CSpawn
internal import DubCore
internal import DubHTTP
internal import Foundation
internal import Glibc

/// A child process in a process group of its own, which is told to end by the end of its stdin.
///
/// The write end of its stdin is ours alone and closes with us, however we end. Its stdout and stderr are drained
/// always. It is reaped as soon as it has ended, and what is left of its group is killed with it.
final class WorkerProcess: Sendable {
    /// Its number while it runs, and that of its group.
    var pid: pid_t { group.leader }
    /// Comes when the process has ended and is reaped.
    let ending = Once<ProcessEnding>()
    let tail: LogTail
    private let group: ProcessGroup
    private let stdin: Locked<Int32?>

    /// - Throws: `worker.not-installed` where the program cannot be started.
    init(_ launch: WorkerLaunch, log: (@Sendable (String) -> Void)?) throws {
        let tail = LogTail(forward: log)
        let input = try Self.pipe(launch)
        let output: (read: Int32, write: Int32)
        do {
            output = try Self.pipe(launch)
        } catch {
            close(input.read)
            close(input.write)
            throw error
        }
        defer {
            close(input.read)
            close(output.write)
        }
        do {
            group = ProcessGroup(leader: try Self.spawn(launch, stdin: input.read, output: output.write))
        } catch {
            close(input.write)
            close(output.read)
            throw error
        }
        self.tail = tail
        stdin = Locked(input.write)
        let drained = DispatchSemaphore(value: 0)
        Self.thread("dubmill.worker.log") { Self.drain(output.read, into: tail, then: drained) }
        Self.thread("dubmill.worker.reap") { [group, ending] in
            // Its last words come before the news of its end; a descendant that left the group may hold the pipe on.
            ending.settle(.success(group.reap { _ = drained.wait(timeout: .now() + .milliseconds(500)) }))
        }
    }

    deinit {
        closeInput()
    }

    /// Closes its stdin: a worker ends by itself then.
    func closeInput() {
        stdin.withLock { descriptor in
            if let open = descriptor { close(open) }
            descriptor = nil
        }
    }

    /// Sends a signal to its whole group, if it still runs.
    func signal(_ number: Int32) {
        group.signal(number)
    }

    private static func pipe(_ launch: WorkerLaunch) throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw DubError.notStarted(launch, errno, .transient) }
        return (ends[0], ends[1])
    }

    private static func spawn(_ launch: WorkerLaunch, stdin: Int32, output: Int32) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, stdin, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        posix_spawn_file_actions_addclosefrom_np(&actions, 3)
        if let folder = launch.folder { posix_spawn_file_actions_addchdir_np(&actions, folder) }
        // A group of its own, so that ^C at the terminal reaches only us; no signal blocked or ignored.
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var child: pid_t = 0
        let words = ([launch.executable] + launch.arguments).map { strdup($0) }
        let environment = launch.environment.map { strdup("\($0.key)=\($0.value)") }
        defer { for text in words + environment { free(text) } }
        let status = posix_spawn(
            &child, launch.executable, &actions, &attributes, words + [nil], environment + [nil])
        guard status == 0 else { throw DubError.notStarted(launch, status, .permanent) }
        return child
    }

    private static func thread(_ name: String, _ work: @escaping @Sendable () -> Void) {
        let thread = Thread(block: work)
        thread.name = name
        thread.start()
    }

    private static func drain(_ descriptor: Int32, into tail: LogTail, then drained: DispatchSemaphore) {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count > 0 {
                tail.append(buffer[..<count])
            } else if count == 0 || errno != EINTR {
                break
            }
        }
        tail.finish()
        close(descriptor)
        drained.signal()
    }
}

extension DubError {
    fileprivate static func notStarted(
        _ launch: WorkerLaunch, _ status: Int32, _ persistence: Persistence
    ) -> DubError {
        DubError(
            .workerNotInstalled, "The worker cannot be started: \(String(cString: strerror(status))).",
            at: launch.executable, fix: "Set the worker up: make setup.", persistence: persistence,
            cause: POSIXErrorCode(rawValue: status).map { POSIXError($0) })
    }
}
