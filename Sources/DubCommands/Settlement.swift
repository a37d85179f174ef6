internal import DubCore
internal import DubRunner
internal import DubWatch
internal import Foundation

/// What becomes of a file of a watched folder, and of what belongs to it, once it is done or has failed.
struct Settlement: Sendable {
    /// The absolute path of the watched folder.
    let folder: String
    let arrival: Arrival

    /// Moves, deletes or leaves what is done. A file that has gone meanwhile is no error.
    ///
    /// - Throws: `output.unwritable`.
    func done(_ after: WatchedFolder.After, to done: String) throws {
        switch after {
        case .keep: break
        case .move: for path in all { try move(path, to: done) }
        case .delete:
            for path in all where unlink("\(folder)/\(path)") != 0 && errno != ENOENT {
                throw Self.unwritable(String(cString: strerror(errno)), "\(folder)/\(path)")
            }
        }
    }

    /// Puts a file that failed where those lie, with the reason beside it.
    ///
    /// - Throws: `output.unwritable`.
    func failed(_ record: ItemRecord, run: String, to quarantine: String) throws {
        let place = try move(arrival.file.path, to: quarantine) ?? "\(quarantine)/\(arrival.file.path)"
        for path in arrival.company { try move(path, to: quarantine) }
        let reason = Reason(
            file: "\(folder)/\(arrival.file.path)", run: run, time: Date(), error: record.error)
        do {
            try Data(try Console.json(reason).utf8).write(to: URL(filePath: place + ".reason.json"), options: .atomic)
        } catch {
            throw Self.unwritable(error.localizedDescription, place + ".reason.json", error)
        }
    }

    /// The file last: what belongs to it is found as long as it is there.
    private var all: [String] { arrival.company + [arrival.file.path] }

    private struct Reason: Encodable {
        var file: String
        var run: String
        var time: Date
        var error: ErrorRecord?
    }

    /// Moves a file into a folder, under a name that is free there, as it lay in the watched folder.
    ///
    /// - Returns: where it is now; `nil` where it had gone.
    @discardableResult
    private func move(_ path: String, to target: String) throws -> String? {
        let source = "\(folder)/\(path)"
        let wanted = "\(target)/\(path)"
        let parent = (wanted as NSString).deletingLastPathComponent
        do {
            try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        } catch {
            throw Self.unwritable(error.localizedDescription, parent, error)
        }
        let (stem, type) = ((wanted as NSString).deletingPathExtension, (wanted as NSString).pathExtension)
        var place = wanted
        var number = 1
        // A link, since that never replaces what somebody else has put there.
        while link(source, place) != 0 {
            switch errno {
            case EEXIST:
                number += 1
                place = "\(stem)-\(number)" + (type.isEmpty ? "" : ".\(type)")
            case ENOENT: return nil
            default: return try carry(source, to: place)
            }
        }
        unlink(source)
        return place
    }

    /// Moves where a hard link cannot be: to another file system.
    private func carry(_ source: String, to place: String) throws -> String? {
        let folder = (place as NSString).deletingLastPathComponent
        let interim = "\(folder)/.\(UUID().uuidString)"
        do {
            try FileManager.default.copyItem(atPath: source, toPath: interim)
            guard rename(interim, place) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
            unlink(source)
            return place
        } catch {
            unlink(interim)
            if access(source, F_OK) != 0 { return nil }
            throw Self.unwritable("\(error.localizedDescription)", place, error)
        }
    }

    private static func unwritable(_ what: String, _ place: String, _ cause: (any Error)? = nil) -> DubError {
        DubError(
            .outputUnwritable, "The file cannot be put away: \(what).", at: place,
            fix: "Let dubmill write there, or choose another folder.", cause: cause)
    }
}
