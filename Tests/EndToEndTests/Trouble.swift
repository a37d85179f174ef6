import DubTestKit
import Foundation

/// Failing disks and jumping clocks for a program: a library that it is started with.
enum Trouble {
    private static let compiler = ["/usr/bin/cc", "/usr/bin/gcc", "/usr/bin/clang", "/usr/local/bin/clang"].first(
        where: FileManager.default.isExecutableFile)

    static let isPossible = compiler != nil

    /// Builds the library.
    static func library(in folder: URL) async throws -> String {
        guard let compiler else { throw Tool.Failed(description: "there is no C compiler") }
        let built = folder.appendingPathComponent("trouble.so").path
        try await Tool.run(
            compiler,
            [
                "-shared", "-fPIC", "-O2", "-o", built,
                Tool.repository.appendingPathComponent("Tests/Fixtures/trouble/trouble.c").path,
            ], in: folder)
        return built
    }

    /// The environment in which one call below a folder fails.
    static func failing(
        _ library: String, below folder: String, call: String, at number: Int, count: Int = 1, error: String
    ) -> [String: String] {
        [
            "LD_PRELOAD": library, "TROUBLE_BELOW": folder, "TROUBLE_CALL": call, "TROUBLE_AT": "\(number)",
            "TROUBLE_COUNT": "\(count)", "TROUBLE_ERROR": error, "LLVM_PROFILE_FILE": "/dev/null",
        ]
    }
}

/// A clock that the tests move.
struct MovedClock {
    let file: URL
    let environment: [String: String]

    init(_ library: String, in folder: URL) throws {
        file = folder.appendingPathComponent("clock")
        environment = ["LD_PRELOAD": library, "TROUBLE_CLOCK": file.path]
        try move(days: 0)
    }

    func move(days: Int) throws { try Data("\(days * 86_400)".utf8).write(to: file, options: .atomic) }
}
