import Testing

@testable import DubMedia

struct RelayTests {
    struct Fault: Error, Equatable { var what: String }

    @Test func blocksComeInOrder() throws {
        let sum = try Relay.run(depth: 3) { (next: () throws -> Int?) in
            var seen: [Int] = []
            while let block = try next() { seen.append(block) }
            #expect(try next() == nil)
            return seen
        } make: { give in
            for block in 0..<1000 { try give(block) }
        }
        #expect(sum == Array(0..<1000))
    }

    @Test func whoUsesMayLeaveSome() throws {
        let first = try Relay.run(depth: 2) { (next: () throws -> Int?) in
            try next()
        } make: { give in
            for block in 0..<1000 { try give(block) }
        }
        #expect(first == 0)
    }

    @Test func whatTheMakerThrowsIsThrown() {
        #expect(throws: Fault(what: "made")) {
            try Relay.run { (next: () throws -> Int?) in
                while try next() != nil {}
            } make: { give in
                try give(1)
                throw Fault(what: "made")
            }
        }
    }

    @Test func whatTheUserThrowsIsThrownAndEndsTheMaker() {
        #expect(throws: Fault(what: "used")) {
            try Relay.run(depth: 1) { (next: () throws -> Int?) in
                _ = try next()
                throw Fault(what: "used")
            } make: { give in
                while true { try give(1) }
            }
        }
    }
}
