internal import DubCore
internal import DubHTTP
internal import Foundation

extension ObjectStore {
    /// The objects of a bucket whose keys begin with `prefix`, in the store's order, fetched a page at a time.
    ///
    /// The iteration throws `object.missing` for a bucket that is not there, and what `head` throws.
    public func list(bucket: String, prefix: String = "", pageSize: Int = 1000) -> Listing {
        Listing(store: self, bucket: bucket, prefix: prefix, pageSize: min(max(1, pageSize), 1000))
    }

    /// Objects of a bucket, in pages that are fetched as they are needed.
    public struct Listing: AsyncSequence, Sendable {
        /// What it gives.
        public typealias Element = Entry
        fileprivate let store: ObjectStore
        fileprivate let bucket: String
        fileprivate let prefix: String
        fileprivate let pageSize: Int

        /// Begins at the first object.
        public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(listing: self) }

        /// Gives one object after the other.
        public struct AsyncIterator: AsyncIteratorProtocol {
            fileprivate let listing: Listing
            private var page: [Entry] = []
            private var token: String? = ""

            fileprivate init(listing: Listing) {
                self.listing = listing
            }

            /// The next object; `nil` after the last.
            public mutating func next() async throws -> Entry? {
                // A page may be empty although others follow.
                while page.isEmpty, let token {
                    (page, self.token) = try await listing.page(after: token)
                    page.reverse()
                }
                return page.popLast()
            }
        }
    }
}

extension ObjectStore.Listing {
    fileprivate func page(after token: String) async throws -> ([ObjectStore.Entry], String?) {
        let place = "s3://\(bucket)/\(prefix)"
        var query: [S3Request.QueryItem] = [
            .init("list-type", "2"), .init("prefix", prefix), .init("max-keys", "\(pageSize)"),
            // Keys may hold what XML cannot.
            .init("encoding-type", "url"),
        ]
        if !token.isEmpty { query.append(.init("continuation-token", token)) }
        let request = store.endpoint.request("GET", ObjectName(bucket: bucket, key: ""), query: query)
        let answer = try await store.exchange(request, at: place).response
        guard let result = ReplyReader.read(answer.body).children.first(where: { $0.name == "ListBucketResult" }) else {
            throw DubError(
                .objectRefused, "The store's answer is no list of objects.", at: place,
                fix: "Check that the endpoint is one of an object store.")
        }
        let isEncoded = result.child("EncodingType") == "url"
        let entries = result.children.filter { $0.name == "Contents" }.map { element in
            let key = element.child("Key") ?? ""
            return ObjectStore.Entry(
                key: isEncoded ? PercentEncoding.decodeForm(key) : key,
                size: element.child("Size").flatMap { Int64($0) } ?? 0,
                tag: (element.child("ETag") ?? "").replacing("\"", with: ""))
        }
        let next = result.child("IsTruncated") == "true" ? result.child("NextContinuationToken") : nil
        guard next != token || token.isEmpty else {
            throw DubError(
                .objectRefused, "The store gives the same page again and again.", at: place, fix: "Tell its operator.")
        }
        return (entries, next)
    }
}
