public import Foundation

/// Runs `body` with an empty folder of its own, and removes the folder afterwards, whatever happened.
///
/// The path is short enough for Unix sockets in it.
public func withScratch<Value>(_ body: (URL) async throws -> Value) async throws -> Value {
    let folder = URL(fileURLWithPath: "/tmp/dubtest-\(UInt32.random(in: .min ... .max))", isDirectory: true)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder)
}

/// Waits until `condition` holds, looking every 5 ms.
///
/// - Returns: Whether it came to hold within `limit`.
public func eventually(
    within limit: Duration = .seconds(10), _ condition: () async throws -> Bool
) async throws -> Bool {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else { return false }
        try await Task.sleep(for: .milliseconds(5))
    }
    return true
}
