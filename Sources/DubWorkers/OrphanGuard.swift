internal import CSpawn
internal import Glibc

/// Ends a process group when we end, however we end: a shell in that group which waits for the end of a pipe whose other
/// end is ours alone.
///
/// A worker watches its stdin and needs none. A program of somebody else's does not, and SIGKILL leaves us no time to
/// end it ourselves. As a member of the group the shell keeps the group's number from going to a stranger.
struct OrphanGuard: ~Copyable {
    private let pid: pid_t
    private let pipe: Int32

    /// Joins a group; `nil` where it has ended already, or where the system has no room for one more process.
    init?(group: pid_t) {
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { return nil }
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        // Not our stdout and stderr: whoever reads those waits for all that hold them.
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addclosefrom_np(&actions, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setpgroup(&attributes, group)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        // SIGTERM goes to the whole group, and who minds it has to be outlived.
        let script = "trap '' TERM INT HUP; read -r _; kill -9 -\"$0\""
        let command = ["sh", "-c", script, String(group)]
        let words = command.map { word in strdup(word) }
        defer { for word in words { free(word) } }
        var child: pid_t = 0
        guard posix_spawn(&child, "/bin/sh", &actions, &attributes, words + [nil], [nil]) == 0 else {
            close(ends[1])
            return nil
        }
        (pid, pipe) = (child, ends[1])
    }

    /// Lets go of the group, which has ended or is to end: what is left of it is killed. Reaps the shell.
    deinit {
        close(pipe)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    }
}
