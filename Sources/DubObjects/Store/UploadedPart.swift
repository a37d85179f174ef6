internal import DubCore
internal import DubHTTP
internal import Foundation

/// A part of a file that the store holds.
struct UploadedPart: Sendable, Hashable, Codable {
    /// From 1.
    var number: Int
    /// The store's mark of it, as it came.
    var tag: String
    /// In bytes.
    var size: Int64
    /// Its SHA-256; stores that list parts do not all tell.
    var digest: Digest?

    /// The digest as S3 writes it; "" where it is not known.
    var checksum: String { digest?.bytes.base64EncodedString() ?? "" }
}

extension ObjectStore {
    /// The parts of an upload that is under way, by number; `nil` where the store knows no such upload.
    func listParts(_ upload: Upload, _ id: String) async throws -> [Int: UploadedPart]? {
        let place = "\(upload.name)"
        var parts: [Int: UploadedPart] = [:]
        var marker = ""
        while true {
            var query: [S3Request.QueryItem] = [.init("uploadId", id), .init("max-parts", "1000")]
            if !marker.isEmpty { query.append(.init("part-number-marker", marker)) }
            var request = endpoint.request("GET", upload.name, query: query)
            request.headers = upload.options.encryption?.customerKey?.headers ?? [:]
            let answer: HTTPResponse
            do {
                answer = try await exchange(request, at: place).response
            } catch let error as DubError where error.code == .objectMissing {
                return nil
            }
            guard let result = ReplyReader.read(answer.body).children.first(where: { $0.name == "ListPartsResult" })
            else { return nil }
            for element in result.children where element.name == "Part" {
                guard let number = element.child("PartNumber").flatMap({ Int($0) }),
                    let size = element.child("Size").flatMap({ Int64($0) }), let tag = element.child("ETag")
                else { continue }
                let sum = element.child("ChecksumSHA256").flatMap { Data(base64Encoded: $0) }
                parts[number] = UploadedPart(number: number, tag: tag, size: size, digest: sum.flatMap(Digest.init))
            }
            let next = result.child("IsTruncated") == "true" ? result.child("NextPartNumberMarker") ?? "" : ""
            // A store that stands still has told what it knows.
            guard !next.isEmpty, next != marker else { return parts }
            marker = next
        }
    }
}

/// Texts inside XML.
enum XMLText {
    /// Lets nothing of a text be taken for markup.
    static func escape(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}
