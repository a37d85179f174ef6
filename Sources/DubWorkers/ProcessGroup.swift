internal import Glibc
internal import DubCore

/// How a process ended.
enum ProcessEnding: Hashable, Sendable, CustomStringConvertible {
    case exit(status: Int32)
    case signal(Int32)

    var description: String {
        switch self {
        case .exit(let status): "exit status \(status)"
        case .signal(let number): "signal \(number) (\(String(cString: strsignal(number))))"
        }
    }
}

/// A child that leads a process group: signals reach it until it is reaped, and never a stranger after that.
final class ProcessGroup: Sendable {
    let leader: pid_t
    private let isReaped = Locked(false)

    init(leader: pid_t) {
        self.leader = leader
    }

    /// Sends a signal to all of the group, unless the leader is reaped.
    func signal(_ number: Int32) {
        isReaped.withLock { isReaped in
            // The number of a process that is reaped may belong to somebody else.
            if !isReaped { kill(-leader, number) }
        }
    }

    /// Waits for the leader's end, kills what is left of the group, lets `settle` run, and reaps. Blocks.
    func reap(settle: () -> Void) -> ProcessEnding {
        var info = siginfo_t()
        // Wait without reaping: until then the number of the group is surely ours.
        while waitid(P_PID, id_t(leader), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        signal(SIGKILL)
        settle()
        return isReaped.withLock { isReaped in
            var status: Int32 = 0
            while waitpid(leader, &status, 0) < 0, errno == EINTR {}
            isReaped = true
            let number = status & 0x7f
            return number == 0 ? .exit(status: (status >> 8) & 0xff) : .signal(number)
        }
    }
}
