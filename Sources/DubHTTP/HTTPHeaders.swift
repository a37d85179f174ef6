/// The header fields of a request or a response, in order; names compare without case.
public struct HTTPHeaders: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    /// One field.
    public struct Field: Hashable, Sendable {
        /// The name as it is on the wire.
        public var name: String
        /// The value, without white space around it.
        public var value: String

        /// Makes a field.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// All fields, repeated ones too.
    public var fields: [Field]

    /// Makes headers of `fields`.
    public init(_ fields: [Field] = []) {
        self.fields = fields
    }

    /// Makes headers of names and values.
    public init(dictionaryLiteral elements: (String, String)...) {
        fields = elements.map { Field(name: $0.0, value: $0.1) }
    }

    /// The first field called `name`; setting replaces every field of that name, `nil` removes them.
    public subscript(name: String) -> String? {
        get { fields.first { Self.same($0.name, name) }?.value }
        set {
            fields.removeAll { Self.same($0.name, name) }
            if let newValue { fields.append(Field(name: name, value: newValue)) }
        }
    }

    private static func same(_ left: String, _ right: String) -> Bool {
        left.utf8.count == right.utf8.count && left.lowercased() == right.lowercased()
    }

    /// Whether every name is a token and no value can break out of its line (RFC 9110, section 5).
    var areWellFormed: Bool {
        let separators = Set("()<>@,;:\\\"/[]?={} \t".utf8)
        return fields.allSatisfy { field in
            !field.name.isEmpty
                && field.name.utf8.allSatisfy { $0 > 32 && $0 < 127 && !separators.contains($0) }
                && field.value.utf8.allSatisfy { $0 != 0 && $0 != 10 && $0 != 13 }
        }
    }
}
