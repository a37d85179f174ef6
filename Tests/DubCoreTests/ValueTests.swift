import DubCore
import Foundation
import Testing

@Suite struct LanguageTests {
    @Test(
        "reads tags and the codes of containers, in their usual case",
        arguments: [
            ("es", "es"), ("ES", "es"), ("pt-br", "pt-BR"), ("pt_BR", "pt-BR"), ("zh-hans", "zh-Hans"),
            ("zh-Hans-CN", "zh-Hans-CN"), ("spa", "es"), ("fre", "fr"), ("fra", "fr"), ("ger", "de"), ("deu", "de"),
            ("yue", "yue"), ("en-GB-oxendict", "en-GB-oxendict"),
        ])
    func reads(text: String, tag: String) throws {
        #expect(try Language(text).tag == tag)
    }

    @Test(
        "refuses what is none",
        arguments: ["", "xx", "klingon", "e", "es-toolongsubtag", "es-ñ", "und", "es BR", "auto"])
    func refuses(text: String) throws {
        #expect(throws: DubError.self) { try Language(text) }
    }

    @Test("knows names and the codes that containers carry")
    func names() throws {
        let brazilian = try Language("pt-BR")
        #expect(brazilian.primary == "pt")
        #expect(brazilian.container == "por")
        #expect(brazilian.name == "Portuguese (BR)")
        #expect(brazilian.sameLanguage(as: try Language("pt")))
        #expect(brazilian != (try Language("pt")))
        #expect(try Language("fr").container == "fre")
        #expect([try Language("fr"), try Language("es")].sorted().map(\.tag) == ["es", "fr"])
    }

    @Test("stands in JSON as its tag, also as the name of a member")
    func json() throws {
        let spanish = try Language("es")
        let data = try JSONEncoder().encode([spanish: [spanish]])
        #expect(String(decoding: data, as: UTF8.self) == #"{"es":["es"]}"#)
        #expect(try JSONDecoder().decode([Language: [Language]].self, from: data) == [spanish: [spanish]])
        #expect(throws: (any Error).self) { try JSONDecoder().decode(Language.self, from: Data("\"xx\"".utf8)) }
    }
}

@Suite struct JSONValueTests {
    @Test("equal values have one canonical text")
    func canonical() throws {
        let value: JSONValue = [
            "b": [1, 2.5, true, nil], "a": "line\n\"quoted\" \\ \u{1}é", "ä": [:], "Z": -0.0, "n": .number(3),
        ]
        #expect(
            value.canonical
                == #"{"Z":0,"a":"line\n\"quoted\" \\ \u0001é","b":[1,2.5,true,null],"n":3,"ä":{}}"#)
        #expect(try JSONValue.parse(Data(value.canonical.utf8)).canonical == value.canonical)
        #expect(JSONValue.number(3).canonical == JSONValue.integer(3).canonical)
        #expect(JSONValue.number(1e300).canonical == "1e+300")
    }

    @Test("gives what it holds, and nothing else")
    func access() throws {
        let value = try JSONValue.parse(Data(#"{"s":"x","i":7,"d":1.5,"b":false,"a":[1],"o":{},"n":null}"#.utf8))
        #expect(value["s"]?.string == "x" && value["s"]?.integer == nil)
        #expect(value["i"]?.integer == 7 && value["i"]?.double == 7 && value["i"]?.bool == nil)
        #expect(value["d"]?.double == 1.5 && value["d"]?.integer == nil)
        #expect(value["b"]?.bool == false)
        #expect(value["a"]?.array == [1])
        #expect(value["o"]?.object == [:])
        #expect(value["n"] == .null)
        #expect(value["none"] == nil && value["a"]?["x"] == nil)
        #expect(throws: (any Error).self) { try JSONValue.parse(Data("{".utf8)) }
    }

    @Test("goes to values and back")
    func values() throws {
        let time = MediaTime(seconds: 1.5)
        let value = try JSONValue(encoding: ["t": time])
        #expect(value == ["t": 1.5])
        #expect(try value.decoded(as: [String: MediaTime].self)["t"]?.seconds == 1.5)
    }
}

@Suite struct DigestTests {
    @Test("is SHA-256, of bytes, texts and files alike")
    func known() throws {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(Digest.of("abc").hex == abc)
        #expect(Digest.of(Data("abc".utf8)).description == abc)
        #expect(Digest.of("abc").short == "ba7816bf8f01")
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("digest-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: path) }
        let data = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 * 7) })
        try data.write(to: path)
        #expect(try Digest.of(fileAt: path.path) == Digest.of(data), "read in pieces")
        #expect(throws: DubError.self) { try Digest.of(fileAt: path.path + ".none") }
        #expect(throws: DubError.self) { try Digest.of(fileAt: "/tmp") }
    }

    @Test("reads 64 hexadecimal digits, and nothing else")
    func hex() throws {
        let digest = Digest.of("abc")
        #expect(Digest(hex: digest.hex.uppercased()) == digest)
        #expect(Digest(hex: "ab") == nil)
        #expect(Digest(hex: String(repeating: "g", count: 64)) == nil)
        #expect(try JSONDecoder().decode(Digest.self, from: JSONEncoder().encode(digest)) == digest)
        #expect(throws: (any Error).self) { try JSONDecoder().decode(Digest.self, from: Data("\"ab\"".utf8)) }
    }
}

@Suite struct DubErrorTests {
    @Test("says what, where and how to mend it")
    func description() {
        let error = DubError(.inputMissing, "It is gone.", at: "a.mp4", fix: "Look again.")
        #expect(error.description == "error[input.missing]: It is gone.\n  where: a.mp4\n  fix:   Look again.")
        #expect(error.persistence == .permanent)
        #expect("\(DubError.Code.languageUnknown)" == "language.unknown")
    }
}

@Suite struct MediaTimeCodingTests {
    @Test("is a number of seconds in JSON, to a microsecond")
    func codable() throws {
        let third = MediaTime(ticks: 1, timebase: Rational(1, 3))
        #expect(String(decoding: try JSONEncoder().encode([third]), as: UTF8.self) == "[0.333333]")
        let back = try JSONDecoder().decode([MediaTime].self, from: Data("[0.333333, -2, 7.5]".utf8))
        #expect(back.map(\.seconds) == [0.333333, -2, 7.5])
        for text in ["1e10", "-1e12", "\"1\"", "null"] {
            #expect(throws: (any Error).self) {
                try JSONDecoder().decode([MediaTime].self, from: Data("[\(text)]".utf8))
            }
        }
    }

    @Test("orders instants of different timebases exactly")
    func order() {
        let film = MediaTime(ticks: 1001, timebase: Rational(1, 24_000))
        let sound = MediaTime(ticks: 2002, timebase: Rational(1, 48_000))
        #expect(!(film < sound) && !(sound < film))
        #expect(film < MediaTime(ticks: 2003, timebase: Rational(1, 48_000)))
        #expect(MediaTime(ticks: -1, timebase: Rational(1, 3)) < .zero)
        let late = MediaTime(ticks: .max, timebase: Rational(1, 90_000))
        #expect(MediaTime(ticks: .max - 1, timebase: Rational(1, 90_000)) < late)
        #expect(MediaTime(ticks: 1, timebase: Rational(1, 1)) < MediaTime(ticks: .max, timebase: Rational(1, 90_000)))
    }

    @Test("gives the nearest sample, far from zero too")
    func samples() {
        #expect(MediaTime(seconds: 1.5).samples(at: 48_000) == 72_000)
        #expect(MediaTime(seconds: -0.25).samples(at: 16_000) == -4000)
        let year = MediaTime(ticks: 31_536_000 * 90_000, timebase: Rational(1, 90_000))
        #expect(year.samples(at: 48_000) == 31_536_000 * 48_000)
    }
}
