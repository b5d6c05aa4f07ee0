"""The commonest passwords of at least eight characters, which attackers try first."""

from __future__ import annotations

_LIST = """
    00000000 000000000 0000000000 01020304 01234567 012345678 0123456789 098765432 0987654321
    10101010 10203040 1020304050 11111111 111111111 1111111111 11112222 111222333 11223344
    1122334455 112233445566 11235813 12121212 1212312121 121314151617 12301230 12312312 123123123
    1231231234 123123456 123123qwe 12341234 1234123412341234 12344321 1234554321 12345678 123456780
    123456781 123456782 123456788 123456789 1234567890 12345678901 123456789012 1234567890a
    1234567890q 12345678910 123456789a 123456789q 12345678a 12345678q 12345679 1234567a 1234567q
    123456987 123456aa 123456ab 123456abc 123456as 123456asd 123456qq 123456qw 123456qwe
    123456qwerty 123456zx 12345abc 12345asd 12345qwe 12345qwert 12345qwerty 1234abcd 1234asdf
    1234qwer 1234rewq 123654789 12369874 123698745 123789456 123abc123 123qwe123 123qwe123qwe
    123qweasd 123qweasdzxc 12qw34er 12qwaszx 13131313 131313131 13243546 13579246 135792468
    1357924680 14141414 14253647 142536475869 147258369 1472583690 147852369 14789632 147896325
    15151515 159357159 159357258 159357456 15975312 159753159 159753456 16161616 16899168 17171717
    18181818 19191919 1a2b3c4d 1a2b3c4d5e 1a2s3d4f 1a2s3d4f5g 1password 1q1q1q1q 1q2w3e4r 1q2w3e4r5t
    1q2w3e4r5t6y 1q2w3e4r5t6y7u 1q2w3e4r5t6y7u8i 1qa2ws3ed 1qaz!qaz 1qaz1qaz 1qaz2wsx 1qaz2wsx3edc
    1qaz@wsx 1qazxsw2 1qazxsw23edc 1qw23er4 20002000 20012001 20102010 20202020 20212021 20222022
    20232023 20242024 20252025 20262026 21212121 22222222 222222222 2222222222 22334455 23232323
    23456789 234567890 24242424 25252525 25802580 2580258025 26262626 27272727 31313131 31415926
    314159265 3141592654 321321321 32165498 321654987 32323232 33333333 333333333 34343434 36363636
    369258147 3edc4rfv 41414141 42424242 43214321 44444444 444444444 45454545 45645645 456456456
    456789123 4815162342 50505050 51515151 52525252 54321543 5432154321 54545454 55555555 555555555
    5555555555 55667788 56565656 56785678 65432165 654321654 65656565 66666666 666666666 6666666666
    67676767 69696969 74108520 74185296 741852963 753159456 753951456 75757575 76543210 77777777
    777777777 7777777777 77889900 78787878 78945612 789456123 7894561230 78963214 789789789 85208520
    852456852 87654321 876543210 88888888 888888888 8888888888 89898989 90909090 951753852 96385274
    963852741 98765432 987654321 9876543210 987654321a 98989898 99887766 99999999 999999999
    9999999999 a1234567 a12345678 a123456789 a1234567890 a1a2a3a4 a1b2c3d4 a1b2c3d4e5 a1s2d3f4
    a1s2d3f4g5 aa123123 aa123456 aa12345678 aaaa1111 aaaaaaaa aaaaaaaaa aaaaaaaaaa aabbccdd abababab
    abc12345 abc123456 abc1234567 abc123abc abc123def abcabcabc abcd1234 abcd1234! abcd12345
    abcd123456 abcde123 abcde12345 abcdef12 abcdef123 abcdefgh abcdefghi abcdefghij access14
    admin123 admin1234 admin12345 admin123456 admin@123 admin@1234 adminadmin administrator adrienne
    airborne alejandra alejandro alexande alexander alexandr alexandra alexandre amsterdam anderson
    angelica angelina anthony1 apple123 aq1sw2de3 aqwzsxedc arsenal1 asasasas asd12345 asd123456
    asdasd123 asdasdasd asdf1234 asdf12345 asdfasdf asdfghjk asdfghjkl asdfghjkl1 asdfjkl; asdfqwer
    asdqwe123 asdzxc123 azerty123 azertyui azertyuiop babygirl babygirl1 bangladesh barbados
    barcelona baseball baseball1 basketball battlefield beautiful beethoven benjamin bernardo
    bigdaddy biteme123 blahblah blessed1 blink182 bluebird bluemoon boomboom brandon1 brooklyn
    budlight bullshit butterfly butthead cardinal carolina caroline cashmoney catherine champion
    changeit changeme changeme1 changeme123 charles1 charlie1 charlotte chelsea1 cheyenne chicago1
    children chocolate chocolate1 christian christin christina christine christmas christopher
    cleopatra cocacola colorado columbia computer computer1 concrete cookie123 corvette courtney
    cowboys1 creative crystal1 dallas22 danielle darkness deeznuts default1 defender demo1234
    desperado deutschland diamond1 dictionary dolphin1 dolphins dontknow dragon12 dragon123 drowssap
    einstein elephant elizabeth eminem123 emmanuel engineer england1 everton1 explorer facebook
    facebook1 federico fernanda fernando fireball firebird firefire firefox1 flower123 football
    football1 football123 forever1 forever21 francesco francisco frederick friendly friends1
    fuckoff1 fuckyou! fuckyou1 fuckyou123 fuckyou2 gabriela gabriell gabrielle galatasaray gangster
    garfield gateway1 gfhjkmgfhjkm giuseppe godzilla goldfish gonzalez goodluck google123 grandma1
    guinness gundam00 hardcore harley123 hello123 hello1234 hellohello helloworld hercules hockey123
    hollywood homepage hotmail1 hunter12 hurricane iceman123 ihateyou ihateyou1 iloveme1 iloveu123
    iloveyou iloveyou! iloveyou1 iloveyou12 iloveyou123 iloveyou2 iloveyou3 india123 infinity
    inter123 internet internet1 ironman1 isabella jackson1 jasmine1 jeferson jennifer jeremiah
    jessica1 jesus123 jesuschrist johncena jonathan jordan123 jordan23 joshua123 junior123 justin123
    juventus karina123 katherine kathleen kawasaki kimberly kingking kingston kristina ladybug1
    langmore lasvegas lavender leonardo letmein! letmein1 letmein123 letmein2 liberty1 lifehack
    liverpoo liverpool liverpool1 logitech lollipop lovelove lovely123 lovers123 loveyou1 loveyou2
    lucky123 madison1 magnolia majestic manchester manutd123 marathon margaret margarita marie123
    marlboro marseille maryjane master12 master123 matrix123 matthew1 maverick maxwell1 mercedes
    mercury1 metallica michael1 michael123 micheline michelle microsoft midnight minecraft
    minecraft1 mississippi mitchell monkey12 monkey123 monster1 montana1 morpheus motorola mountain
    mustang1 mypassword myspace1 napoleon natasha1 nathalie nicholas nicole123 nintendo nirvana1
    nopassword nothing1 november october1 onelove1 operator orange123 p@$$w0rd p@55w0rd p@ssw0rd
    p@ssw0rd1 p@ssw0rd123 p@ssword p@ssword1 p@ssword123 pa$$w0rd pa$$word pa55w0rd pa55word
    panasonic panther1 paradise parola123 pass1234 pass12345 pass123456 pass@123 pass@word1 passpass
    passport passw0rd passw0rd! passw0rd1 passw0rd123 passwd123 password password! password!1
    password0 password00 password01 password02 password1 password1! password10 password11 password12
    password123 password123! password1234 password12345 password2 password21 password22 password3
    password4 password5 password6 password69 password7 password77 password8 password88 password9
    password99 password@1 password@123 passwords passwort passwort1 patricia patrick1 pavilion
    peaches1 penelope personal phoenix1 picasso1 playboy1 playstation poiuytrewq pokemon1 pokemon123
    poohbear porsche1 portland portugal precious presario pretty123 princess princess1 princess12
    princess123 q1234567 q12345678 q123456789 q1q1q1q1 q1q2q3q4 q1w2e3r4 q1w2e3r4t5 q1w2e3r4t5y6
    qazqazqaz qazwsx12 qazwsx123 qazwsxed qazwsxedc qazwsxedc123 qazwsxedcrfv qazxsw12 qazxswedc
    qqqqqqqq qqww1122 qw123456 qwaszx12 qwe123456 qwe123qwe qweasd123 qweasdzx qweasdzxc
    qweasdzxc123 qweqwe123 qweqweqwe qwer1234 qwer12345 qwer4321 qwerasdf qwerqwer qwert123
    qwert1234 qwert12345 qwerty00 qwerty01 qwerty1! qwerty11 qwerty12 qwerty123 qwerty123!
    qwerty1234 qwerty12345 qwerty123456 qwerty21 qwerty22 qwerty321 qwerty77 qwerty78 qwerty789
    qwerty99 qwertyqwerty qwertyu1 qwertyui qwertyuio qwertyuiop qwertyuiop1 qwertyuiop123 qwertz123
    qwertzui qwertzuiop rainbow1 ranger123 rangers1 realmadrid rebecca1 red12345 redsox04 remember
    richard1 robert123 rockstar rockstar1 rolltide ronaldo7 rosebud1 russia123 samantha samantha1
    samsung1 samsung123 sandra123 santiago satan666 saturn01 savannah scarface scorpion scotland
    sebastian secret12 secret123 september serenity sergey123 service1 shadow12 shadow123 shannon1
    sharingan shithead simpsons skywalker slipknot slipknot1 snickers snowball snowboard snowman1
    soccer12 soccer123 softball somebody something southside spartan1 spartan117 special1 spiderma
    spiderman spiderman1 spitfire srinivas starcraft stardust startrek starwars starwars1 steelers
    steelers1 stephani stephanie sterling steven123 stoney12 strawberry success1 summer01 summer12
    summer123 sunflower sunlight sunshine sunshine1 superman superman1 superman123 supernova
    superstar supervisor surfer123 sweetheart sweetpea swordfish sylvester system32 taurus123
    taylor123 teamo123 telecaster temp1234 temppass terminal test1234 test12345 test123456 testing1
    testing123 testtest theodore thomas123 thuglife thunder1 thunderbird tiffany1 tigger123
    tinkerbell titanic1 topsecret tottenham trinity1 trustno1 trustnoone turtle12 undertaker
    unicorn1 universal universe vacation valencia valentin valentina vanessa1 veronica victoria
    victoria1 viking123 vincent1 virginia volcom12 voyager1 warcraft warcraft3 warrior1 webmaster
    welcome1 welcome12 welcome123 welcome1234 welcome2 welcome@1 welcome@123 westside whatever
    whatever1 whiteboy william1 williams wolverine woodland wrestling xxxxxxxx yamaha123 yankees1
    yellow12 yourmom1 yuantuo2012 yugioh123 yyyyyyyy z1x2c3v4 z1x2c3v4b5 zachary1 zaq!2wsx zaq12wsx
    zaq1xsw2 zaq1zaq1 zaqxswcde zeppelin zerocool zxc12345 zxc123456 zxcasdqwe zxcvbnm, zxcvbnm,./
    zxcvbnm1 zxcvbnm12 zxcvbnm123 zxcvzxcv zzzzzzzz
"""

COMMON_PASSWORDS = frozenset(_LIST.split())
