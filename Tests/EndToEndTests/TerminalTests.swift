import DubCore
import DubTestKit
import Foundation
import Glibc
import Testing

/// A pseudo-terminal of 100 columns that keeps all that is written to it.
final class Terminal: Sendable {
    /// What a program writes to.
    let replica: FileHandle
    private let written = Box(Data())
    private let primary: Int32

    init() throws {
        // What grantpt, unlockpt and ptsname do on Linux (asm-generic/ioctls.h); Swift does not see those.
        let (unlock, number): (UInt, UInt) = (0x4004_5431, 0x8004_5430)
        let primary = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var locked: Int32 = 0
        var name: UInt32 = 0
        guard primary >= 0, ioctl(primary, unlock, &locked) == 0, ioctl(primary, number, &name) == 0 else {
            throw Tool.Failed(description: "no pseudo-terminal: \(String(cString: strerror(errno)))")
        }
        self.primary = primary
        let replica = open("/dev/pts/\(name)", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var size = winsize(ws_row: 30, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(replica, UInt(TIOCSWINSZ), &size)
        self.replica = FileHandle(fileDescriptor: replica, closeOnDealloc: false)
        Thread.detachNewThread { [written] in
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = read(primary, &buffer, buffer.count)
                guard count > 0 else { return }
                written.update { $0.append(contentsOf: buffer[..<count]) }
            }
        }
    }

    /// What came so far.
    var text: String { String(decoding: written.value, as: UTF8.self) }

    /// All of it, once nobody writes any more.
    func finish() async throws -> String {
        // What was written before this mark has come through when the mark has.
        try replica.write(contentsOf: Data("END".utf8))
        _ = try await eventually { self.written.value.suffix(3) == Data("END".utf8) }
        try replica.close()
        close(primary)
        return String(decoding: written.value.dropLast(3), as: UTF8.self)
    }
}

extension EndToEnd {
    /// What a person sees while a run goes on.
    @Suite struct Display {
        @Test("on a terminal it draws how far every file is, and clears that away at the end")
        func draws() async throws {
            try await withScratch { scratch in
                var behaviour = StubWorker.Behaviour.hearing
                behaviour.delay = 0.2
                let mill = try Mill(in: scratch, behaviour: behaviour)
                let clip = try await Clip(seconds: 10).make(in: scratch)
                let silent = try await Clip(seconds: 4, name: "no\u{1b}[31mise.mp4", isSilent: true).make(in: scratch)
                let terminal = try Terminal()
                let running = try mill.start(
                    ["run", clip, silent, "--to", "es", "--out", mill.out], ["TERM": "xterm"], terminal: terminal)
                let outcome = try await running.finish()
                let seen = try await terminal.finish()
                #expect(outcome.status == 1, "\(outcome.stdout)")
                for part in ["━", "─", " %  clip.mp4", "of 2 files done", "clip.mp4: passed in", "synthesize "] {
                    #expect(seen.contains(part), "\(part) in \(seen)")
                }
                #expect(seen.contains("error[speech.none]"))
                #expect(!seen.contains("\u{1b}[31m"), "names cannot steer the terminal")
                #expect(!seen.contains("clip.mp4: started"), "plain lines are for where no terminal is")
                // Nothing of the bars is left standing: the last drawing was cleared.
                let tail = seen.components(separatedBy: "\u{1b}[J").last ?? ""
                #expect(!tail.contains("━") && !tail.contains("─"), "\(tail)")
                #expect(outcome.stdout.contains("passed    clip.mp4"))
            }
        }

        @Test(
            "quiet is quiet on a terminal too, and NO_COLOR and dumb terminals are respected",
            arguments: ["xterm", "dumb"])
        func quiet(kind: String) async throws {
            try await withScratch { scratch in
                let mill = try Mill(in: scratch)
                let clip = try await Clip(seconds: 5).make(in: scratch)
                let terminal = try Terminal()
                let arguments = ["run", clip, "--to", "es", "--out", mill.out] + (kind == "xterm" ? ["--quiet"] : [])
                let running = try mill.start(arguments, ["TERM": kind], terminal: terminal)
                #expect(try await running.finish().status == 0)
                let seen = try await terminal.finish()
                #expect(!seen.contains("\u{1b}"))
                #expect(seen.isEmpty == (kind == "xterm"))
            }
        }
    }
}
